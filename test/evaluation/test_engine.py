"""The evaluation of a world whose frames are known from its actions, and of small networks."""

import numpy as np
import pytest
from known_world import EPISODES, PerfectWorld, episode, evaluate, noise_episodes, ramp, tracks
from untrained import untrained

from hwm_core.errors import BadActions, BadConfig
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.json_report import (
    conditions_json,
    psnr_json,
    sensitivity_json,
)
from hwm_core.evaluation.tables import markdown
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel


def test_the_psnr_of_every_condition_in_a_known_world() -> None:
    # Far from the joint limits, so that no shuffled motion is clipped
    result = evaluate(PerfectWorld(), [episode("up", ramp(60, start=0.6)), EPISODES[1]])
    assert result.psnr("model", 16) == pytest.approx(60.0)
    # 16 frames at 2 grey levels each is 32 levels: -20 log10(32 / 255) = 18.03 dB
    assert result.psnr("copy_last", 16) == pytest.approx(18.03, abs=0.01)
    assert result.psnr("none", 16) == pytest.approx(18.03, abs=0.01)
    # The other episode moves in the other direction: 64 levels, 6 dB less
    assert result.psnr("shuffled", 16) == pytest.approx(12.01, abs=0.05)
    # One level everywhere: 20 log10 255 = 48.13
    assert result.psnr("tokenizer", 16) == pytest.approx(48.13, abs=0.01)


def test_psnr_is_of_the_frame_exactly_h_ahead() -> None:
    result = evaluate(PerfectWorld(), EPISODES, horizons=(1, 8, 24))
    for horizon in (1, 8, 24):
        assert result.psnr("copy_last", horizon) == pytest.approx(-20 * np.log10(2 * horizon / 255), abs=0.01)


def test_a_horizon_that_ends_inside_a_latent_asks_for_whole_latents() -> None:
    world = PerfectWorld()
    evaluate(world, EPISODES, horizons=(30,))
    assert world.asked[0].shape[1] == 32


def test_zero_and_reversed_are_predicted_from_held_and_reversed_actions() -> None:
    conditions = ["model", "zero", "reversed", "copy_last"]
    result = evaluate(PerfectWorld(), [episode("up", ramp(60, start=0.6)), EPISODES[1]], conditions=conditions)
    # Held: as copying. Reversed: 2 * 16 frames of 2 grey levels, 64 levels off
    assert result.psnr("zero", 16) == pytest.approx(result.psnr("copy_last", 16))
    assert result.psnr("reversed", 16) == pytest.approx(20 * np.log10(255 / 64), abs=0.05)


def test_every_frame_ahead_is_measured_and_the_horizons_are_among_them() -> None:
    result = evaluate(PerfectWorld(), EPISODES, horizons=(4, 20))
    assert result.conditions["copy_last"].mse.shape == (12, 20)
    whole = conditions_json(result, EvaluationConfig(horizons=(4, 20)))["copy_last"]
    assert whole["by_frame"]["psnr_db"][3] == round(result.psnr("copy_last", 4), 3)
    assert whole["mean"]["psnr_db"] == pytest.approx(np.mean(whole["by_frame"]["psnr_db"]), abs=1e-3)
    assert whole["windows"] == 12 and whole["episodes"] == 2 and whole["samples"] is None


def test_a_reconstructed_truth_removes_the_tokenizers_error_from_copying() -> None:
    conditions = ["model", "copy_last"]
    still = [episode(name, ramp(60, slope=0.0, start=0.5)) for name in ("a", "b")]
    result = evaluate(PerfectWorld(), still, truth="tokenizer", conditions=conditions)
    assert result.psnr("copy_last", 8) == 60.0  # the last frame, reconstructed like the truth
    assert result.psnr("model", 8) == pytest.approx(20 * np.log10(255), abs=0.01)  # one grey level from the camera's
    with pytest.raises(BadConfig, match="frames are the truth"):
        EvaluationConfig.parse({"truth": "tokenizer"})


def test_models_with_different_pasts_and_futures_are_evaluated_on_the_same_frames() -> None:
    small, large = WorldModel(untrained()), WorldModel(untrained(num_past_latents=3, num_future_latents=1))
    evaluated = [
        Evaluation(one, noise_episodes(), EvaluationConfig(horizons=(8,)), compared_with=(small, large))
        for one in (small, large)
    ]
    results = [one.run() for one in evaluated]
    assert np.array_equal(results[0].windows.newest, results[1].windows.newest) and results[0].windows.newest[0] == 16
    assert np.array_equal(results[0].conditions["copy_last"].mse, results[1].conditions["copy_last"].mse)


def test_several_robots_are_evaluated_together_and_a_nan_that_the_past_lacks_is_rejected() -> None:
    episodes, lacks = noise_episodes(4), (1, 2, 1, 2)
    for one, column in zip(episodes, lacks, strict=True):
        one.commands[:, column] = np.nan
    world = WorldModel(untrained())
    result = evaluate(world, episodes, horizons=(8,), sensitivity=2)
    assert all(np.isfinite(result.psnr(condition, 8)) for condition in result.conditions)
    table = sensitivity_json(result)  # of the first and the last window, whose robots lack one arm each
    assert table is not None and [joint["windows"] for joint in table["joints"].values()] == [2, 1, 1]
    past = world.observe(episodes[0].frames[:9], episodes[0].commands[:9])
    with pytest.raises(BadActions, match="finite joint values"):
        world.rollout(past, episodes[1].commands[None, 9:33], sampling=Sampling())


def test_a_horizon_of_zero_is_rejected() -> None:
    with pytest.raises(BadConfig, match="horizons"):
        evaluate(PerfectWorld(), EPISODES, horizons=(0, 8))


def test_objects_that_moved_more_than_2_cm_are_evaluated_separately() -> None:
    coloured = EPISODES[0].frames.copy()
    coloured[20:, :, :8, 0] = 255  # only the object's half changes, in red
    objects = {"up": tracks(20), "down": tracks(99)}
    result = evaluate(
        PerfectWorld(), [episode("up", ramp(60), frames=coloured), EPISODES[1]], horizons=(8, 24), objects=objects
    )
    # The newest frame is start + 8. The jump at 20 lies within 8 frames of it only for the starts 5 and 10
    # (0: newest 8, 16 ahead; 15: newest 23, already jumped), and within 24 for 0 too.
    assert result.count(8, "moved") == 2
    assert result.count(24, "moved") == 3
    assert result.measured.moved_pixels is not None and result.measured.moved_pixels.max() == 16 * 8
    assert result.psnr("model", 8, "moved") < result.psnr("model", 8)


def test_progress_ends_with_all_windows() -> None:
    reported: list[tuple[int, int]] = []
    evaluate(PerfectWorld(), EPISODES, batch=5, progress=lambda done, of: reported.append((done, of)))
    assert reported[-1] == (12, 12)


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_the_evaluation_of_a_network_is_deterministic_and_independent_of_the_batch_size(family: str) -> None:
    world = WorldModel(untrained(family=family))
    tables = [psnr_json(evaluate(world, noise_episodes(), seed=1, batch=batch)) for batch in (4, 4, 3)]
    assert tables[0] == tables[1]
    for horizon in ("8", "16", "24"):
        for name in ("model", "shuffled", "none", "copy_last", "tokenizer"):
            assert tables[2][horizon][name] == pytest.approx(tables[0][horizon][name], abs=0.02)


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_a_single_sample_and_the_mean_of_several_are_evaluated_on_the_same_windows(family: str) -> None:
    world, sampling = WorldModel(untrained(family=family)), Sampling(steps=2, temperature=1.0, soft=False)
    results = [
        evaluate(world, noise_episodes(), horizons=(8,), sampling=sampling.plain(), samples=3, batch=batch)
        for batch in (4, 3)
    ]
    assert {"single", "mean_of_3"} <= set(results[0].conditions)
    assert results[0].psnr("mean_of_3", 8) > results[0].psnr("single", 8)
    for name in ("single", "mean_of_3"):
        assert results[0].psnr(name, 8) == pytest.approx(results[1].psnr(name, 8), abs=0.02)
    # Every window has its own random stream, so the model's prediction with this sampling is the single sample.
    assert np.array_equal(results[0].conditions["single"].mse, results[0].conditions["model"].mse)
    assert "| mean of 3 samples |" in markdown(results[0])


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_a_network_is_rolled_out_beyond_its_own_future(family: str) -> None:
    result = evaluate(WorldModel(untrained(family=family)), noise_episodes(), horizons=(24, 30))
    assert np.isfinite(result.psnr("model", 30))
    assert np.isfinite(result.psnr("none", 30))
