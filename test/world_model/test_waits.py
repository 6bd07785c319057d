"""Scoring for a search reads no value and copies nothing to a GPU, whatever the family, the sampling and the costs."""

from contextlib import nullcontext

import pytest
import torch
from untrained import untrained
from waits import META, MetaRandom, Waits

from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sampling.config import Sampling
from hwm_core.world_model import dynamics as dynamics_module
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

AIDS = {
    "predicts": "data",
    "input_scaling": "linear_estimate",
    "position": "rotary_and_learned",
    "modulation": "time_and_actions",
    "conv_width": 8,
    "future": "separate",
}
MODELS = {
    "masked": {"family": "masked"},
    "masked, flat vocabulary": {"family": "masked", "vocabulary": "flat"},
    "masked, no cache": {"family": "masked", "attention": "bidirectional"},
    "flow": {"family": "flow", "attention": "clean_context"},
    "flow, no cache": {"family": "flow", "attention": "full"},
    "flow, all aids": {"family": "flow", "attention": "clean_context", **AIDS},
}
SAMPLINGS = {
    "mean": Sampling(),
    "sampled, together": Sampling(steps=2, soft=False, temperature=1.0, order="halton"),
    "sampled, one by one, guided": Sampling(
        steps=2, soft=False, temperature=1.0, order="confidence", parallel=False, solver="heun", guidance_scale=2.0
    ),
    "random order": Sampling(steps=2, order="random"),
}
TERMS = {"weight": 1.0, "smoothing": 1.0}
NO_CHANGES = {"goal_changes": {"weight": 0.0}}
OBJECTIVES = {
    "default": Objective(),
    "colours": Objective.parse({**NO_CHANGES, "goal_colours": TERMS}),
    "last latent": Objective.parse({**NO_CHANGES, "goal_latent": {**TERMS, "discount": 0.0}}),
    "pixels": Objective.parse({**NO_CHANGES, "goal_pixels": TERMS}),
    "regions": Objective.parse({**NO_CHANGES, "goal_regions": {"weight": 1.0}}),
    "uncertainty": Objective.parse({**NO_CHANGES, "uncertainty": {"weight": 1.0, "samples": 2, "steps": 2}}),
    "tokens": Objective.parse({**NO_CHANGES, "goal_tokens": {"weight": 1.0}}),
}


def on_meta(**of_model: object) -> tuple[WorldModel, Past, Goal]:
    """A world model, a past and a goal without values."""
    checkpoint = untrained(**of_model)
    checkpoint.model.to(META)
    checkpoint.tokenizer.to(META)
    world = WorldModel(checkpoint, dtype=torch.float32)
    world.autocast = nullcontext  # it changes types on one device, and rejects meta tensors
    frames, image = torch.empty(1, world.past_frames, 3, 16, 16, device=META), torch.empty(3, 16, 16, device=META)
    past = world._encode(frames, torch.empty(1, world.past_frames, 3, device=META))
    latent = torch.empty(*past.latents.shape[2:], device=META)
    tokens = torch.empty(latent.shape[:2], dtype=torch.int64, device=META)
    return world, past, Goal(image, latent, torch.empty_like(latent), tokens)


def space() -> JointSpace:
    limits = torch.ones(3, device=META)
    return JointSpace(("a", "b", "c"), -limits, limits, limits, limits, limits, 30.0)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("model", MODELS)
def test_the_costs_of_a_search_wait_for_nothing(model: str, sampling: str, monkeypatch) -> None:
    monkeypatch.setattr(dynamics_module, "CandidateGenerator", MetaRandom)
    world, past, goal = on_meta(**MODELS[model])
    candidates = torch.empty(4, world.future_frames, 3, device=META)
    dynamics = WorldModelDynamics(world, sampling=SAMPLINGS[sampling], approximate=True)
    dynamics.rollout(past, candidates, 1)  # fills the caches of constants
    for name in OBJECTIVES if sampling == "mean" else ("last latent",):
        if name == "tokens" and not model.startswith("masked"):
            continue
        engine = ScoreEngine(dynamics, OBJECTIVES[name], space())
        with Waits() as found:
            costs = engine.costs(past, goal, candidates)
        assert costs.shape == (4,) and not found, name


def test_what_waits_is_found() -> None:
    numbers = torch.zeros(3, device=META)
    waiting = {
        "tensor": lambda: torch.tensor([1.0], device=META),
        "new_tensor": lambda: numbers.new_tensor([1.0]),
        "copy": lambda: torch.zeros(3).to(META),
        "index by a list": lambda: numbers[[0, 2]],
        "check": lambda: torch.linalg.solve(torch.zeros(3, 3, device=META), numbers),
    }
    for name, call in waiting.items():
        with Waits() as found:
            call()
        assert found, name
    for call in (numbers.sum().item, lambda: numbers[numbers > 0], lambda: bool(numbers.any())):
        with pytest.raises((RuntimeError, NotImplementedError)):
            call()
