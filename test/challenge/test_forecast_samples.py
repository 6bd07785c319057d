"""Which frames and actions a sample of the sampling track contains."""

import numpy as np
import pytest
from forecast_models import SMALL, eve_model, two_takes
from onex_sets import raw_v2

from hwm_core.challenge.forecast_samples import cut_forecast_samples, frames_per_step, identity, sample_starts
from hwm_core.challenge.forecasts import SamplingTrack, forecast
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.errors import BadActions, BadBag, BadCheckpoint


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return two_takes(tmp_path_factory.mktemp("raw"))


def grey(frames: np.ndarray) -> list[float]:
    return frames.mean(axis=(1, 2, 3)).tolist()


def test_the_past_ends_with_frame_16_and_the_target_is_frame_76(raw) -> None:
    first, second = cut_forecast_samples(open_raw(raw), eve_model(), side=32)
    assert (first.name, second.name) == ("set_0_0", "set_0_80")
    # at 30 Hz: past frames 8 to 16, and the actions of these frames and of the next 60
    assert first.actions[:, 5].tolist() == list(range(8, 77))
    assert grey(first.frames) == pytest.approx(list(range(8, 17)), abs=3)
    assert (grey(first.last[None]), grey(first.truth[None])) == (pytest.approx([16], abs=3), pytest.approx([76], abs=3))
    assert second.actions[:, 5].tolist() == list(range(88, 157))
    assert grey(second.truth[None]) == pytest.approx([156], abs=3)


def test_shuffled_actions_are_the_motion_of_another_take_from_the_own_state_within_the_joint_limits(tmp_path) -> None:
    # Two takes whose states rise by 1 and by 3 per frame.
    path = raw_v2(tmp_path / "set", frames=160, cut=80, step=1)
    states = np.concatenate([np.arange(80), 100 + 3 * np.arange(80)])[:, None].repeat(25, axis=1).astype(np.float32)
    states.tofile(path / "robot_states/states_0.bin")
    made = eve_model()
    free = made.manifest.model_copy(update={"lower": (-1e4,) * 25, "upper": (1e4,) * 25})
    made.manifest = free
    first, second = cut_forecast_samples(open_raw(path), made, side=16)
    assert first.shuffled.shape == (60, 25)
    assert np.allclose(first.shuffled[:, 0], 16 + 3 * np.arange(1, 61))
    assert np.allclose(second.shuffled[:, 0], 148 + np.arange(1, 61))
    made.manifest = free.model_copy(update={"upper": (150.0,) * 25})
    _, limited = cut_forecast_samples(open_raw(path), made, side=16)
    assert limited.shuffled.max() == 150
    (alone,) = cut_forecast_samples(open_raw(path), made, side=16, limit=1)
    assert alone.shuffled is None and "shuffled" not in forecast(made, alone, SamplingTrack.parse(SMALL))


def test_the_identity_depends_on_the_options_that_choose_the_samples(raw) -> None:
    shards = open_raw(raw)
    assert identity(shards) == identity(shards) != identity(shards, stride=10)
    assert identity(shards, limit=3) != identity(shards)


def test_the_identity_depends_on_the_video(tmp_path) -> None:
    path = raw_v2(tmp_path / "set", frames=160, cut=80, step=1)
    before = identity(open_raw(path))
    (video,) = path.rglob("*.mp4")
    video.write_bytes(video.read_bytes()[:-1] + b"\0")
    assert identity(open_raw(path)) != before


def test_a_model_at_half_the_frame_rate_uses_every_second_frame(raw) -> None:
    sample = next(cut_forecast_samples(open_raw(raw), eve_model(hz=15.0), side=32))
    assert sample.actions[:, 0].tolist() == [*range(0, 17, 2), *range(18, 77, 2)]
    assert grey(sample.frames) == pytest.approx(list(range(0, 17, 2)), abs=3)


def test_models_that_do_not_fit_the_protocol_are_rejected(raw) -> None:
    with pytest.raises(BadCheckpoint, match="which span 33"):  # 9 frames at 7.5 Hz
        frames_per_step(eve_model(hz=7.5), 30.0)
    with pytest.raises(BadCheckpoint, match="multiples"):
        frames_per_step(eve_model(hz=20.0), 30.0)
    with pytest.raises(BadActions, match="commands"):
        frames_per_step(eve_model(kind="commands"), 30.0)
    assert frames_per_step(eve_model(hz=7.5, num_past_latents=1, num_future_latents=1), 30.0) == 4


def test_no_sample_crosses_a_cut_or_the_end(raw, tmp_path) -> None:
    (shard,) = open_raw(raw)
    assert sample_starts(shard, 1) == [0, 1, 2, 3, 80, 81, 82, 83]  # 80 - 77 + 1 = 4 starts per take
    assert [one.number for one in cut_forecast_samples([shard], eve_model(), side=32, stride=1, limit=3)] == [0, 1, 2]
    with pytest.raises(BadBag, match="a take of 77 frames"):
        list(cut_forecast_samples(open_raw(raw_v2(tmp_path / "short", frames=80, cut=40)), eve_model(), side=32))


def test_samples_are_numbered_by_take_and_not_by_shard(tmp_path) -> None:
    # One shard of 3 takes with 160, 80 and 80 frames: two samples of the first take, one of each other take.
    shards = open_raw(raw_v2(tmp_path / "val", frames=320, cut=(160, 240), step=1))
    samples = list(cut_forecast_samples(shards, eve_model(), side=16))
    assert [(one.name, one.take) for one in samples] == [
        ("val_0_0", 0),
        ("val_0_77", 0),
        ("val_0_160", 1),
        ("val_0_240", 2),
    ]
