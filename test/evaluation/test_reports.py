"""The numbers of a result as JSON, as tables and in a model card."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from known_world import (
    EPISODES,
    PerfectWorld,
    episode,
    evaluate,
    noise_episodes,
    ramp,
    random_world,
    tracks,
)
from untrained import untrained

from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.json_report import (
    interval_json,
    psnr_json,
    psnr_tables_json,
    tokens_json,
)
from hwm_core.evaluation.model_card import card, model_card
from hwm_core.evaluation.table import decimals, gain
from hwm_core.evaluation.tables import markdown
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr
from hwm_core.world_model.model import WorldModel


def test_gains_are_paired_and_carry_an_interval() -> None:
    episodes = [*EPISODES, *(episode(name, ramp(60)) for name in ("third", "fourth", "fifth"))]
    gain = evaluate(PerfectWorld(), episodes).gain("model", "copy_last", 16)
    assert gain.mean == pytest.approx(60 - 18.03, abs=0.01)
    assert gain.low is not None and gain.high is not None and gain.low <= gain.mean <= gain.high


def test_a_gain_over_four_episodes_has_no_interval_in_any_table() -> None:
    episodes = [*EPISODES, *(episode(name, ramp(60)) for name in ("third", "fourth"))]
    result = evaluate(PerfectWorld(), episodes)
    gain = psnr_json(result)["16"]["gain_over"]["copy_last"]
    assert gain["low"] is None and gain["high"] is None
    line = next(line for line in markdown(result).splitlines() if line.startswith("| model above copy last frame"))
    assert " to " not in line


def test_the_seed_of_the_settings_decides_every_interval_in_numbers_and_in_tables() -> None:
    config = EvaluationConfig(
        horizons=(8,), stride=10, conditions=("model", "shuffled", "copy_last"), tokens=True, seed=5
    )
    result = Evaluation(random_world(), noise_episodes(6), config).run()

    def interval(values: np.ndarray) -> Interval:
        return paired_bootstrap(values, result.windows.episode, seed=5)

    model, shuffled = (psnr(result.conditions[name].mse) for name in ("model", "shuffled"))
    at_8 = interval(model[:, 7] - shuffled[:, 7])
    assert at_8 != paired_bootstrap(model[:, 7] - shuffled[:, 7], result.windows.episode, seed=0)
    assert result.gain("model", "shuffled", 8) == result.delta_psnr("shuffled", 8) == at_8
    assert result.mean_gain("model", "shuffled") == interval(model.mean(axis=1) - shuffled.mean(axis=1))
    assert result.tokens is not None
    # Multiplied by 100, so that the three places of the table show the seed's effect.
    tokens = replace(result.tokens, ce={name: 100 * ce for name, ce in result.tokens.ce.items()})
    result = replace(result, measured=replace(result.measured, tokens=tokens))
    saved = interval(tokens.ce["shuffled"] - tokens.ce["model"])
    numbers = tokens_json(result)
    assert numbers is not None and numbers["gain_over"]["shuffled"] == interval_json(saved)
    with_seed_0 = paired_bootstrap(tokens.ce["shuffled"] - tokens.ce["model"], result.windows.episode, seed=0)
    assert gain(with_seed_0, 3) != gain(saved, 3)
    assert f"| model below shuffled actions | {gain(saved, 3)} |" in markdown(result)


def test_the_fixed_neck_table_counts_only_windows_with_a_still_neck() -> None:
    nodding = np.stack([ramp(60), ramp(60)], axis=1).astype(np.float32)
    tables = psnr_tables_json(evaluate(PerfectWorld(), [*EPISODES, episode("nods", ramp(60), commands=nodding)]))
    assert tables["psnr_db"]["8"]["windows"] == 18
    assert tables["psnr_db_fixed_neck"]["8"]["windows"] == 12


def test_the_psnr_numbers_are_json_with_every_condition_and_horizon() -> None:
    table = json.loads(json.dumps(psnr_json(evaluate(PerfectWorld(), EPISODES))))
    assert list(table) == ["8", "16", "24"]
    assert {"model", "shuffled", "none", "copy_last", "windows"} <= set(table["16"])
    assert table["16"]["windows"] == 12


def test_a_value_without_moved_objects_is_null_not_nan() -> None:
    still = {"up": tracks(99), "down": tracks(99)}
    text = json.dumps(psnr_tables_json(evaluate(PerfectWorld(), EPISODES, objects=still)), allow_nan=False)
    assert json.loads(text)["psnr_db_moved_objects"]["8"]["model"] is None


def test_the_markdown_table_has_a_column_for_each_horizon() -> None:
    lines = [line for line in markdown(evaluate(PerfectWorld(), EPISODES)).splitlines() if "|" in line]
    assert lines[0].count("frames ahead") == 3
    assert {line.count("|") for line in lines} == {5}


def test_a_card_lists_the_differences_that_are_not_shown() -> None:
    config = EvaluationConfig(horizons=(8,), stride=10, conditions=("model", "shuffled", "copy_last"))
    evaluation = Evaluation(WorldModel(untrained()), noise_episodes(5), config)
    card = model_card(CheckpointEvaluation("a", "horizon", "five runs", evaluation, evaluation.run()))
    # An untrained model on noise gains nothing from its actions.
    assert "Not shown to be above shuffled actions at 8 frames ahead" in card
    assert "Fewer than" not in card


def test_a_card_states_the_precision_in_which_its_numbers_were_computed() -> None:
    config = EvaluationConfig(horizons=(8,), stride=10, conditions=("model", "copy_last"))
    evaluation = Evaluation(WorldModel(untrained(), dtype=torch.bfloat16), noise_episodes(1), config)
    assert "bfloat16 on cpu" in model_card(
        CheckpointEvaluation("a", "horizon", "one run", evaluation, evaluation.run())
    )


def test_a_card_reports_the_tokenizer_in_use_and_not_the_section_of_the_preset() -> None:
    used = untrained()
    recipe = {"family": "masked", "tokenizer": {"kind": "causal", "width": 777}, "train_tokenizer": {"steps": 777}}
    model = WorldModel(replace(used, metadata={"steps": 3, "recipe": recipe}))
    text = card(model, [], data=[], protocol=[], limits=[])
    assert f"Tokenizer {used.tokenizer.kind}: {used.tokenizer.config.plain()}." in text
    assert "steps: 3" in text and "family: masked" in text and "777" not in text


def test_no_table_shows_a_negative_zero():
    assert decimals(-0.004) == "0.00" and decimals(-0.006) == "-0.01"
    assert gain(Interval(-0.001, -0.2, 0.1)) == "+0.00 (-0.20 to +0.10)"
