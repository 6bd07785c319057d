"""Evaluation of a world whose frames are known from its actions: what each condition means, and which windows count."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadActions, BadBag, BadConfig, RobotMismatch
from hwm_core.evaluation import Evaluation, EvaluationConfig, EvaluationResult, EvaluationWindows, ObjectTracks
from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation
from hwm_core.evaluation.json_report import (
    conditions_json,
    interval_json,
    psnr_json,
    psnr_tables_json,
    sensitivity_json,
    tokens_json,
)
from hwm_core.evaluation.model_card import model_card
from hwm_core.evaluation.sensitivity import perturbed
from hwm_core.evaluation.table import gain
from hwm_core.evaluation.tables import markdown
from hwm_core.evaluation.windows import donor_windows, has_still_camera
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr
from hwm_core.sampling.config import Sampling
from hwm_core.types import Episode
from hwm_core.world_model.model import WorldModel

PAST, FUTURE = 9, 24


def evaluate(world, episodes, **options) -> EvaluationResult:
    objects, progress = options.pop("objects", None), options.pop("progress", lambda done, of: None)
    return Evaluation(world, episodes, EvaluationConfig.parse(options), objects=objects).run(progress)


def episode(name: str, values: np.ndarray, names: tuple[str, ...] = ("slide", "neck_yaw"), **fields) -> Episode:
    """The brightness of a frame is the slide's position, 100 grey levels a unit; the neck does not move."""
    count = len(values)
    grey = np.clip(np.rint(100 * values), 0, 255).astype(np.uint8)
    defaults = {
        "frames": np.broadcast_to(grey[:, None, None, None], (count, 16, 16, 3)).copy(),
        "stamps_ns": np.arange(count, dtype=np.int64) * 33_333_333,
        "segments": np.zeros(count, np.int32),
        "states": None,
        "commands": np.stack([values, np.zeros(count)], axis=1).astype(np.float32),
    }
    return Episode(name=name, names=names, **{**defaults, **fields})


def ramp(count: int, start: float = 0.0, slope: float = 0.02) -> np.ndarray:
    return start + slope * np.arange(count)


MANIFEST = fit_manifest(
    "slider", "commands", ("slide", "neck_yaw"), ("m", "rad"), np.eye(2), [(0.0, 2.55), (-1.0, 1.0)]
)


class PerfectWorld:
    """Predicts exactly the frames that the actions imply; without actions, the newest frame."""

    manifest, past_frames, future_frames = MANIFEST, PAST, FUTURE
    tokenizer = SimpleNamespace(temporal_factor=8)

    def __init__(self) -> None:
        self.asked: list[np.ndarray | None] = []

    def observe(self, frames: np.ndarray, actions: np.ndarray) -> np.ndarray:
        assert frames.shape[1] == actions.shape[1] == PAST
        return frames

    def rollout(self, past, actions, *, sampling, seed, num_frames):
        self.asked.append(actions)
        if actions is None:
            return np.repeat(past[:, -1:], num_frames, axis=1)
        grey = np.clip(np.rint(100 * actions[..., 0]), 0, 255).astype(np.uint8)
        return np.broadcast_to(grey[..., None, None, None], (*grey.shape, 16, 16, 3))

    def mean_frames(self, past, actions, samples, *, sampling, seed, num_frames):
        return self.rollout(past, actions, sampling=sampling, seed=seed, num_frames=num_frames)

    def reconstruct(self, frames: np.ndarray) -> np.ndarray:
        return np.minimum(frames, 254) + 1  # one grey level off


EPISODES = [episode("up", ramp(60)), episode("down", ramp(60, start=1.5, slope=-0.02))]


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


def test_windows_start_every_stride_frames_for_every_horizon() -> None:
    result = evaluate(PerfectWorld(), EPISODES, stride=5)
    # 60 frames, windows of 9 + 24: starts 0, 5, .. 25
    assert result.windows.start.tolist() == [0, 5, 10, 15, 20, 25] * 2
    assert {result.count(h) for h in result.horizons} == {12}


def test_windows_do_not_cross_segments() -> None:
    segments = np.repeat([0, 1], 40).astype(np.int32)
    result = evaluate(PerfectWorld(), [episode("gap", ramp(80), segments=segments), EPISODES[0]], stride=5)
    assert result.windows.start[result.windows.episode == 0].tolist() == [0, 5, 40, 45]


def test_a_horizon_that_ends_inside_a_latent_asks_for_whole_latents() -> None:
    world = PerfectWorld()
    evaluate(world, EPISODES, horizons=(30,))
    assert world.asked[0].shape[1] == 32


def test_shuffled_actions_start_from_the_windows_own_state() -> None:
    windows = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=5)
    shuffled = windows.shuffled_actions([0], [6])  # to the first window of "up" from the first window of "down"
    # Newest own command: 8 * 0.02 = 0.16; the donor falls by 0.02 a frame, and 0 is the joint's limit
    expected = np.clip(0.16 - 0.02 * np.arange(1, 25), 0.0, None)
    np.testing.assert_allclose(shuffled[0, :, 0], expected, atol=1e-6)


def test_held_actions_repeat_the_newest_and_reversed_actions_play_the_own_motion_backwards() -> None:
    windows = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=5)
    # The third window of "up" begins at frame 10; its newest action is 18 * 0.02 = 0.36, and it rises by 0.02 a frame
    assert np.allclose(windows.held_actions([2])[0, :, 0], 0.36)
    expected = np.clip(0.36 - 0.02 * np.arange(1, 25), 0.0, None)
    np.testing.assert_allclose(windows.reversed_actions([2])[0, :, 0], expected, atol=1e-6)


def test_zero_and_reversed_are_predicted_from_held_and_reversed_actions() -> None:
    conditions = ["model", "zero", "reversed", "copy_last"]
    result = evaluate(PerfectWorld(), [episode("up", ramp(60, start=0.6)), EPISODES[1]], conditions=conditions)
    # Held: as copying. Reversed: 2 * 16 frames of 2 grey levels, 64 levels off
    assert result.psnr("zero", 16) == pytest.approx(result.psnr("copy_last", 16))
    assert result.psnr("reversed", 16) == pytest.approx(20 * np.log10(255 / 64), abs=0.05)


def test_at_most_max_windows_are_kept_from_the_first_to_the_last() -> None:
    result = evaluate(PerfectWorld(), EPISODES, stride=1, max_windows=5)
    every = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=1)
    assert len(result) == 5 and len(every) == 56
    assert (result.windows.start[0], result.windows.start[-1]) == (every.start[0], every.start[-1])


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
    with pytest.raises(BadConfig, match="truth itself"):
        EvaluationConfig.parse({"truth": "tokenizer"})


def test_models_with_different_pasts_and_futures_are_evaluated_on_the_same_frames() -> None:
    small, large = WorldModel(untrained()), WorldModel(untrained(num_past_latents=3, num_future_latents=1))
    evaluated = [
        Evaluation(one, real_episodes(), EvaluationConfig(horizons=(8,)), beside=(small, large))
        for one in (small, large)
    ]
    results = [one.run() for one in evaluated]
    assert np.array_equal(results[0].windows.newest, results[1].windows.newest) and results[0].windows.newest[0] == 16
    assert np.array_equal(results[0].conditions["copy_last"].mse, results[1].conditions["copy_last"].mse)


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_each_joint_is_perturbed_in_turn_and_a_constant_joint_changes_nothing(family: str) -> None:
    checkpoint = untrained(family=family)
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(parameter)))
    constant = checkpoint.manifest.model_copy(update={"constant": (False, True, False)})
    world = WorldModel(replace(checkpoint, manifest=constant), dtype=torch.float32)
    result = evaluate(world, real_episodes(), horizons=(8,), sensitivity=2)
    response, numbers = result.sensitivity, sensitivity_json(result)
    assert numbers is not None and list(numbers["joints"]) == ["neck_yaw", "left_elbow", "right_elbow"]
    assert response is not None
    assert response.change.shape == (2, 3)
    assert (response.change[:, 1] == 0).all() and (response.change[:, [0, 2]] > 0).all()


def test_a_joint_is_perturbed_by_its_standard_deviation_away_from_its_nearer_limit() -> None:
    actions = np.tile(np.float32([2.5, 0.0]), (24, 1))  # the slide is near its upper end, 2.55
    off = perturbed(MANIFEST, actions) - actions
    slide, neck = MANIFEST.std
    np.testing.assert_allclose(off[0], np.tile([-slide, 0.0], (24, 1)), atol=1e-6)
    np.testing.assert_allclose(off[1], np.tile([0.0, neck], (24, 1)), atol=1e-6)


def test_the_donor_is_a_window_of_another_episode() -> None:
    windows = EvaluationWindows([*EPISODES, episode("third", ramp(60))], MANIFEST, PAST, FUTURE, stride=5)
    assert (windows.episode[donor_windows(windows, seed=0)] != windows.episode).all()


UNION = fit_manifest("two", "commands", ("slide", "lift", "neck_yaw"), ("m", "m", "rad"), np.eye(3))


def of_robot(name: str, lacks: str, count: int = 60) -> Episode:
    """A run of one of two robots; the joint that it lacks is NaN."""
    values = np.stack([ramp(count)] * 3, axis=1).astype(np.float32)
    values[:, UNION.names.index(lacks)] = np.nan
    return episode(name, ramp(count), names=UNION.names, commands=values)


def test_the_donor_has_a_robot_with_the_same_joints() -> None:
    episodes = [of_robot(name, lacks) for name, lacks in zip("abcde", ["lift", "slide", "lift", "slide", "slide"])]
    windows = EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    assert (windows.episode[donors] != windows.episode).all()
    shuffled = windows.shuffled_actions(range(len(windows)), donors)
    assert np.array_equal(np.isnan(shuffled), np.isnan(windows.actions(range(len(windows)))[:, PAST:]))


def test_the_donor_for_a_robot_with_one_episode_is_another_time_in_it() -> None:
    episodes = [of_robot("a", "lift"), of_robot("b", "lift"), of_robot("alone", "slide", 80)]
    windows = EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    assert set(windows.episode[donors[windows.episode == 2]]) == {2} and (donors != np.arange(len(windows))).all()
    # 80 frames hold windows of 33 at 0 .. 45. A window up to 10 or from 35 on has one that shares no frame with it.
    at = np.flatnonzero((windows.episode == 2) & (windows.start <= 10))
    assert (windows.start[donors[at]] - windows.start[at] >= 33).all()


def test_a_robot_with_a_single_window_has_no_donor_and_is_rejected() -> None:
    episodes = [of_robot("a", "lift"), of_robot("b", "lift"), of_robot("alone", "slide", 33)]
    with pytest.raises(BadBag, match="one of a robot that lacks slide"):
        donor_windows(EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5), seed=0)


def test_several_robots_are_evaluated_together_and_a_nan_that_the_past_lacks_is_rejected() -> None:
    episodes, lacks = real_episodes(4), (1, 2, 1, 2)
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


def test_the_donor_in_a_single_episode_is_another_time() -> None:
    windows = EvaluationWindows([episode("long", ramp(100))], MANIFEST, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    apart = np.abs(windows.start[donors] - windows.start)
    # 14 windows of 33 frames, starts 0 .. 65: those from 35 on share no frame with the first, and vice versa.
    assert (apart[windows.start <= 30] >= 33).all() and (apart > 0).all()


def test_a_single_window_has_no_donor_and_is_rejected() -> None:
    with pytest.raises(BadBag, match="two windows"):
        evaluate(PerfectWorld(), [episode("short", ramp(33))])


def test_episodes_too_short_are_rejected() -> None:
    with pytest.raises(BadBag, match="without a gap"):
        evaluate(PerfectWorld(), [episode("short", ramp(32))])


def test_an_episode_of_another_robot_is_rejected() -> None:
    with pytest.raises(RobotMismatch, match="slide"):
        evaluate(PerfectWorld(), [episode("other", ramp(60), names=("lift", "neck_yaw"))])


def test_an_episode_without_the_models_kind_of_actions_is_rejected() -> None:
    with pytest.raises(BadActions, match="commands"):
        evaluate(PerfectWorld(), [episode("states", ramp(60), commands=None, states=np.zeros((60, 2), np.float32))])


def test_a_horizon_of_zero_is_rejected() -> None:
    with pytest.raises(BadConfig, match="horizons"):
        evaluate(PerfectWorld(), EPISODES, horizons=(0, 8))


def test_joints_are_matched_by_name() -> None:
    turned = [
        episode(e.name, np.zeros(60), names=("neck_yaw", "slide"), frames=e.frames, commands=e.commands[:, ::-1])
        for e in EPISODES
    ]
    assert evaluate(PerfectWorld(), turned).psnr("model", 16) == pytest.approx(60.0)


def test_the_camera_is_still_when_its_joints_are() -> None:
    assert has_still_camera(EPISODES[0])
    moving = np.stack([np.zeros(60), ramp(60)], axis=1).astype(np.float32)
    assert not has_still_camera(episode("nods", ramp(60), commands=moving))
    assert has_still_camera(episode("arm", ramp(60), names=("slide", "elbow"), commands=moving))
    lacks = np.stack([ramp(60), np.full(60, np.nan)], axis=1).astype(np.float32)
    assert has_still_camera(episode("of several robots", ramp(60), commands=lacks))


def test_the_fixed_neck_table_counts_only_windows_with_a_still_neck() -> None:
    nodding = np.stack([ramp(60), ramp(60)], axis=1).astype(np.float32)
    tables = psnr_tables_json(evaluate(PerfectWorld(), [*EPISODES, episode("nods", ramp(60), commands=nodding)]))
    assert tables["psnr_db"]["8"]["windows"] == 18
    assert tables["psnr_db_fixed_neck"]["8"]["windows"] == 12


def tracks(moves_at: int) -> ObjectTracks:
    """Object 1 covers the left half and jumps by 3 cm at a frame; object 2 covers a corner and creeps by 1 cm."""
    positions = np.zeros((60, 2, 3), np.float32)
    positions[moves_at:, 0, 0] = 0.03
    positions[:, 1, 0] = np.linspace(0, 0.01, 60)
    labels = np.zeros((60, 16, 16), np.uint8)
    labels[:, :, :8] = 1
    labels[:, 12:, 12:] = 2
    return ObjectTracks(positions, labels)


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


def test_progress_ends_with_all_windows() -> None:
    reported: list[tuple[int, int]] = []
    evaluate(PerfectWorld(), EPISODES, batch=5, progress=lambda done, of: reported.append((done, of)))
    assert reported[-1] == (12, 12)


def real_episodes(count: int = 2) -> list[Episode]:
    random = np.random.default_rng(0)
    return [
        episode(
            f"e{number}",
            np.zeros(44),
            names=("neck_yaw", "left_elbow", "right_elbow"),
            frames=random.integers(0, 256, (44, 16, 16, 3), dtype=np.uint8),
            commands=random.normal(size=(44, 3)).astype(np.float32),
        )
        for number in range(count)
    ]


def test_a_card_lists_the_differences_that_are_not_shown() -> None:
    config = EvaluationConfig(horizons=(8,), stride=10, conditions=("model", "shuffled", "copy_last"))
    evaluation = Evaluation(WorldModel(untrained()), real_episodes(5), config)
    card = model_card(CheckpointEvaluation("a", "horizon", "five runs", evaluation, evaluation.run()))
    # An untrained model on noise gains nothing from its actions.
    assert "Not shown to be above shuffled actions at 8 frames ahead" in card
    assert "Fewer than" not in card


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_the_evaluation_of_a_network_is_deterministic_and_independent_of_the_batch_size(family: str) -> None:
    world = WorldModel(untrained(family=family))
    tables = [psnr_json(evaluate(world, real_episodes(), seed=1, batch=batch)) for batch in (4, 4, 3)]
    assert tables[0] == tables[1]
    for horizon in ("8", "16", "24"):
        for name in ("model", "shuffled", "none", "copy_last", "tokenizer"):
            assert tables[2][horizon][name] == pytest.approx(tables[0][horizon][name], abs=0.02)


def random_world() -> WorldModel:
    """A masked model with random weights that depends on its actions."""
    checkpoint = untrained()
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(parameter)))
    return WorldModel(checkpoint, dtype=torch.float32)


@pytest.mark.parametrize("horizon", [8, 24, 30])
def test_codes_of_every_future_latent_are_scored_with_true_shuffled_and_no_actions(horizon: int) -> None:
    world, episodes = random_world(), real_episodes()
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


def test_the_seed_of_the_settings_decides_every_interval_in_numbers_and_in_tables() -> None:
    config = EvaluationConfig(
        horizons=(8,), stride=10, conditions=("model", "shuffled", "copy_last"), tokens=True, seed=5
    )
    result = Evaluation(random_world(), real_episodes(6), config).run()

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


def test_a_flow_model_has_no_scores_of_codes() -> None:
    result = evaluate(WorldModel(untrained(family="flow")), real_episodes(), horizons=(8,), tokens=True)
    assert result.tokens is None and tokens_json(result) is None


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_a_single_sample_and_the_mean_of_several_are_evaluated_on_the_same_windows(family: str) -> None:
    world, sampling = WorldModel(untrained(family=family)), Sampling(steps=2, temperature=1.0, soft=False)
    results = [
        evaluate(world, real_episodes(), horizons=(8,), sampling=sampling.plain(), samples=3, batch=batch)
        for batch in (4, 3)
    ]
    assert {"single", "mean_of_3"} <= set(results[0].conditions)
    assert results[0].psnr("mean_of_3", 8) > results[0].psnr("single", 8)
    for name in ("single", "mean_of_3"):
        assert results[0].psnr(name, 8) == pytest.approx(results[1].psnr(name, 8), abs=0.02)
    # Every window has its own random stream, so the model's prediction with this sampling is the single sample.
    assert np.array_equal(results[0].conditions["single"].mse, results[0].conditions["model"].mse)
    assert "| mean of 3 |" in markdown(results[0])


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_a_network_is_rolled_out_beyond_its_own_future(family: str) -> None:
    result = evaluate(WorldModel(untrained(family=family)), real_episodes(), horizons=(24, 30))
    assert np.isfinite(result.psnr("model", 30))
    assert np.isfinite(result.psnr("none", 30))
