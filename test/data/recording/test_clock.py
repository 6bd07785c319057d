"""The frame clock: which images become frames."""

import numpy as np
import pytest

from hwm_core.data.recording.preprocessing import Preprocessing

AT_30_HZ = Preprocessing(source_aspect=4 / 3, frame_rate_hz=30)


def stamps(rate, seconds=20.0, jitter_ms=0.0, seed=0):
    regular = np.arange(int(rate * seconds)) * 1e9 / rate
    return (1e9 + regular + np.random.default_rng(seed).uniform(-jitter_ms, jitter_ms, len(regular)) * 1e6).astype(int)


@pytest.mark.parametrize("jitter_ms", [0, 3, 5.5])
@pytest.mark.parametrize("rate", [29.9, 29.97, 30, 30.1])
def test_a_camera_of_the_models_rate_gives_each_frame_once(rate, jitter_ms):
    times = stamps(rate, jitter_ms=jitter_ms)
    indices, segments = AT_30_HZ.pick_frames(times)
    assert np.array_equal(indices, np.arange(len(times)))
    assert not segments.any()


@pytest.mark.parametrize("rate", [10, 15, 20, 22.6, 25, 28, 32, 45, 75, 100])
def test_a_camera_of_another_rate_is_resampled_to_the_nearest_frames(rate):
    times = stamps(rate, jitter_ms=1)
    indices, segments = AT_30_HZ.pick_frames(times)
    ticks = times[0] + np.arange(len(indices)) * 1e9 / 30
    # The nearest frame is at most half a camera interval away, plus the jitter of the first frame and of this frame.
    assert np.abs(times[indices] - ticks).max() <= 0.5e9 / rate + 2e6
    assert abs(len(indices) - 30 * (times[-1] - times[0]) / 1e9) <= 2
    assert not segments.any()


@pytest.mark.parametrize("rate", [59.94, 60, 90.1, 119.88])
def test_a_camera_of_a_multiple_of_the_rate_is_subsampled_evenly(rate):
    indices, _ = AT_30_HZ.pick_frames(stamps(rate, jitter_ms=1, seconds=60))
    assert np.array_equal(np.diff(indices), np.full(len(indices) - 1, round(rate / 30)))


def test_pauses_and_backward_jumps_start_segments_but_a_lost_frame_does_not():
    period = 1e9 / 30
    lost, pause = [0, 1, 2, 4, 5], [40, 41, 42]
    times = (1e9 + np.array([*lost, *pause, *lost]) * period).astype(int)
    indices, segments = AT_30_HZ.pick_frames(times)
    assert indices.tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12]
    assert segments.tolist() == [0] * 6 + [1] * 3 + [2] * 6


def test_frames_with_a_repeated_or_earlier_stamp_are_left_out():
    times = 10**9 + np.array([0, 33, 33, 67, 50, 100]) * 10**6
    assert AT_30_HZ.pick_frames(times)[0].tolist() == [0, 1, 3, 5]


def test_a_live_clock_picks_the_same_frames_as_a_recording():
    times = np.concatenate([stamps(22.6, 5, jitter_ms=8), stamps(60, 5, seed=1)])
    clock, frames = AT_30_HZ.clock(), []
    for index, stamp in enumerate(times):
        tick = clock.push(int(stamp))
        frames += [index - 1] * tick.previous + [index] * tick.current
    assert np.array_equal(frames, AT_30_HZ.pick_frames(times)[0])
