"""Surprise: predictions against what came. No ROS, untrained weights."""

import numpy as np
import pytest
import torch
from untrained import JOINTS, untrained

from hwm_core.assets import SHIPPED
from hwm_core.errors import BadBag, BadCheckpoint
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.surprise import Surprise, SurpriseAlarm, SurpriseConfig, SurpriseMonitor
from hwm_core.live.surprise_file import measure_surprise, read_surprise, write_surprise
from hwm_core.planning.costs.objective import Objective
from hwm_core.types import Episode
from hwm_core.world_model.checkpoint_files import checkpoint_folder
from hwm_core.world_model.model import WorldModel

PERIOD = 33_333_333


@pytest.fixture(params=["masked", "flow", "st_transformer"])
def live(request):
    return LiveModel(WorldModel(untrained(family=request.param), dtype=torch.float32), LiveConfig(), Objective())


def window(end, frames=None, seed=0):
    """A window whose newest frame is number `end` of an endless film."""
    film = np.random.default_rng(seed).integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
    actions = np.random.default_rng(1).uniform(-1, 1, (200, 3)).astype(np.float32)
    numbers = np.arange(end - 8, end + 1)
    return ContextWindow(film[numbers] if frames is None else frames, actions[numbers], numbers * PERIOD)


def test_a_latent_is_compared_with_its_prediction_from_the_frames_before_it(live):
    monitor = SurpriseMonitor(live, 0.5)
    assert monitor.frames == 8
    assert monitor.compare(window(20)) is None
    found = monitor.compare(window(28))
    assert (found.predicted_from_ns, found.stamp_ns, found.expected) == (20 * PERIOD, 28 * PERIOD, 0.5)
    model, actions = live.world_model, np.zeros((1, 24, 3), np.float32)
    actions[0, :8], actions[0, 8:] = window(28).actions[-8:], window(28).actions[-1]
    past = model.observe(window(20).frames, window(20).actions)
    predicted = live.dynamics.rollout(past, torch.from_numpy(actions)).latents[0, 0]
    seen = model.observe(window(28).frames, window(28).actions).latents[0, -1]
    assert found.error == pytest.approx(float((predicted - seen).square().mean()), rel=1e-5)
    assert found.ratio == pytest.approx(found.error / 0.5)


@pytest.mark.parametrize("end", [20, 27, 29, 60])
def test_windows_that_are_not_one_latent_apart_are_not_compared(live, end):
    monitor = SurpriseMonitor(live)
    monitor.compare(window(20))
    assert monitor.compare(window(end)) is None


def test_without_a_measured_error_the_median_so_far_is_expected(live):
    monitor = SurpriseMonitor(live)
    found = [monitor.compare(window(20 + 8 * step)) for step in range(14)][1:]
    assert [one.ratio for one in found[:10]] == [0.0] * 10
    assert found[10].expected == pytest.approx(np.median([one.error for one in found[:10]]))


def test_only_surprises_in_a_row_raise_the_alarm():
    alarm = SurpriseAlarm(SurpriseConfig(threshold=3.0, latents=2))
    ratios = [1.0, 9.0, 1.0, 4.0, 4.0, 4.0, 0.0]
    assert [alarm.add(Surprise(0, 1, ratio, 1.0)) for ratio in ratios] == [False] * 4 + [True] * 2 + [False]
    alarm.add(Surprise(0, 1, 9.0, 1.0))
    alarm.reset()
    assert not alarm.add(Surprise(0, 1, 9.0, 1.0))


@pytest.mark.parametrize("error", [np.nan, np.inf])
@pytest.mark.parametrize("expected", [1.0, 0.0])
def test_an_error_that_is_not_finite_is_a_surprise(error, expected):
    alarm = SurpriseAlarm(SurpriseConfig(threshold=3.0, latents=2))
    broken = Surprise(0, 1, error, expected)
    assert broken.ratio == np.inf
    assert [alarm.add(broken), alarm.add(broken)] == [False, True]
    assert alarm.newest is broken


def test_an_error_that_is_not_finite_is_not_learned_from(live, monkeypatch):
    monitor = SurpriseMonitor(live)
    errors = iter([np.nan, *[2.0] * 12])
    monkeypatch.setattr(monitor, "_error", lambda *_: next(errors))
    found = [monitor.compare(window(20 + 8 * step)) for step in range(14)][1:]
    assert found[-1].expected == 2.0 and found[-1].ratio == 1.0


def episode(frames=60):
    film = np.random.default_rng(3).integers(0, 256, (frames, 16, 16, 3), dtype=np.uint8)
    actions = np.random.default_rng(4).uniform(-1, 1, (frames, 3)).astype(np.float32)
    stamps = np.arange(1, frames + 1) * PERIOD
    return Episode("one", film, stamps, np.repeat([0, 1], frames // 2).astype(np.int32), JOINTS, None, actions)


def test_the_error_on_held_out_episodes_is_written_beside_the_checkpoint_and_read(live, tmp_path):
    measured = measure_surprise(live, [episode()], windows=7)
    assert measured.windows == 7 and 0 < measured.error <= measured.p95
    assert measure_surprise(live, [episode()], windows=1000).windows == 2 * (30 - 17 + 1)
    write_surprise(tmp_path, measured)
    assert read_surprise(tmp_path, live.world_model.sha256) == measured
    with pytest.raises(BadCheckpoint, match="measure-surprise"):
        read_surprise(tmp_path, "another")
    (tmp_path / "surprise.json").write_text("{")
    with pytest.raises(BadCheckpoint, match="measure-surprise"):
        read_surprise(tmp_path, live.world_model.sha256)
    assert read_surprise(tmp_path / "empty", live.world_model.sha256) is None
    with pytest.raises(BadBag, match="17 frames"):
        measure_surprise(live, [episode(20)], windows=7)


def test_uncertainties_of_candidates_are_the_means_of_the_models_own(live):
    config = LiveConfig.parse({"uncertainty": {"enabled": True, "samples": 3, "steps": 2}})
    unsure = LiveModel(live.world_model, config, Objective())
    candidates = np.random.default_rng(1).uniform(-1, 1, (4, 24, 3)).astype(np.float32)
    goal = np.full((16, 16, 3), 200, np.uint8)
    scores = unsure.score(window(20), candidates, goal=goal).scores
    past = unsure.observe(window(20))
    rollout = unsure.dynamics.rollout(past, torch.from_numpy(candidates), Objective().last_latents)
    cells = unsure.dynamics.uncertainty(past, rollout, 3, 2)
    np.testing.assert_allclose(scores.uncertainties, cells.mean(dim=(1, 2, 3)), rtol=1e-5)
    assert scores.seconds["uncertainty"] > 0 and (scores.uncertainties >= 0).all()
    assert live.score(window(20), candidates, goal=goal).scores.uncertainties is None


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_checkpoints_have_measured_errors(name):
    world_model = WorldModel.load(name, dtype="float32")
    measured = read_surprise(checkpoint_folder(name), world_model.sha256)
    assert measured is not None and measured.p95 < SurpriseConfig().threshold * measured.error
