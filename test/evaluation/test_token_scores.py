"""Cross-entropy and accuracy of the codes of models that predict codes."""

import numpy as np
import pytest
import torch
from known_world import evaluate, noise_episodes, random_world
from untrained import untrained

from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.json_report import (
    tokens_json,
)
from hwm_core.evaluation.tables import markdown
from hwm_core.world_model.model import WorldModel


@pytest.mark.parametrize("family", ["masked", "st_transformer"])
@pytest.mark.parametrize("horizon", [8, 24, 30])
def test_codes_of_every_future_latent_are_scored_with_true_shuffled_and_no_actions(horizon: int, family: str) -> None:
    world, episodes = random_world(family), noise_episodes()
    evaluation = Evaluation(world, episodes, EvaluationConfig(horizons=(horizon,), tokens=True, batch=3))
    result = evaluation.run()
    assert result.tokens is not None and result.tokens.uniform_ce == pytest.approx(np.log(25))
    # As in training: the mean over all windows at once. 24 frames are the model's whole future.
    frames, actions = evaluation.windows.frames(range(len(result))), evaluation.windows.actions(range(len(result)))
    ahead = 9 + min(horizon, 24)
    tokens = world.tokenizer.encode(world.to_video(frames[:, :ahead]))
    played = world.manifest.normalise(torch.from_numpy(actions[:, :ahead]))
    with torch.inference_mode():
        for name, given in (("model", played), ("none", None)):
            whole = world.model.future_loss(tokens, given, torch.Generator())
            assert result.tokens.ce[name].mean() == pytest.approx(float(whole["loss"]), rel=1e-4)
            assert result.tokens.accuracy[name].mean() == pytest.approx(float(whole["accuracy"]), abs=1e-6)
    assert len({round(ce.mean(), 6) for ce in result.tokens.ce.values()}) == 3, "the model depends on the actions"
    assert "| model below no actions | " in markdown(result)


def test_a_flow_model_has_no_scores_of_codes() -> None:
    result = evaluate(WorldModel(untrained(family="flow")), noise_episodes(), horizons=(8,), tokens=True)
    assert result.tokens is None and tokens_json(result) is None
