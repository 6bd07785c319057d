"""The frame clock and preprocessing: which frames, and which of their pixels."""

import numpy as np
import pytest

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadConfig, BadImage

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
    # Nearest: half a camera interval away at most, and the jitter of the first frame and of this one.
    assert np.abs(times[indices] - ticks).max() <= 0.5e9 / rate + 2e6
    assert abs(len(indices) - 30 * (times[-1] - times[0]) / 1e9) <= 2
    assert not segments.any()


@pytest.mark.parametrize("rate", [59.94, 60, 90.1, 119.88])
def test_a_camera_of_a_multiple_of_the_rate_is_thinned_evenly(rate):
    indices, _ = AT_30_HZ.pick_frames(stamps(rate, jitter_ms=1, seconds=60))
    assert np.array_equal(np.diff(indices), np.full(len(indices) - 1, round(rate / 30)))


def test_a_pause_and_a_jump_back_start_segments_and_a_lost_frame_does_not():
    period = 1e9 / 30
    lost, pause = [0, 1, 2, 4, 5], [10, 11, 12]
    times = (1e9 + np.array([*lost, *pause, *lost]) * period).astype(int)
    indices, segments = AT_30_HZ.pick_frames(times)
    assert indices.tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12]
    assert segments.tolist() == [0] * 6 + [1] * 3 + [2] * 6


def test_a_repeated_stamp_and_a_frame_that_overtook_another_are_left_out():
    times = 10**9 + np.array([0, 33, 33, 67, 50, 100]) * 10**6
    assert AT_30_HZ.pick_frames(times)[0].tolist() == [0, 1, 3, 5]


def test_a_live_clock_picks_what_a_recording_picks():
    times = np.concatenate([stamps(22.6, 5, jitter_ms=8), stamps(60, 5, seed=1)])
    clock, frames = AT_30_HZ.clock(), []
    for index, stamp in enumerate(times):
        tick = clock.push(int(stamp))
        frames += [index - 1] * tick.previous + [index] * tick.current
    assert np.array_equal(frames, AT_30_HZ.pick_frames(times)[0])


def test_the_centre_square_is_resized_by_area():
    # 8x6: the square is columns 1..6; 6x6 to 3x3 averages 2x2 pixels.
    picture = np.zeros((6, 8, 3), dtype=np.uint8)
    picture[:, 0], picture[:, 7] = 255, 255
    picture[0, 1:3], picture[1, 1:3] = 100, 200
    small = Preprocessing(source_aspect=8 / 6, height=3, width=3).apply(picture)
    assert small[..., 0].tolist() == [[150, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_what_is_cut_is_never_seen_and_the_square_is_of_what_is_left():
    # 8x12: bars of 3 rows at the top and 1 at the bottom, and the right half; 4x6 is left, its square columns 1..4.
    picture = np.full((8, 12, 3), 255, dtype=np.uint8)
    picture[3:7, 1:5] = np.random.default_rng(0).integers(0, 200, (4, 4, 3))
    cut = Preprocessing(source_aspect=12 / 8, cut=(3 / 8, 1 / 8, 0, 0.5), height=4, width=4)
    assert np.array_equal(cut.apply(picture), picture[3:7, 1:5])
    with pytest.raises(BadImage, match="another aspect"):  # the aspect is that of the whole picture
        cut.apply(picture[:, :6])


def test_a_cut_that_leaves_nothing_is_rejected():
    for cut in ((0.5, 0.5, 0, 0), (0, 0, 0.7, 0.4), (-0.1, 0, 0, 0)):
        with pytest.raises(BadConfig, match="`cut` to be four shares"):
            Preprocessing.parse({"source_aspect": 1.0, "cut": cut})
    with pytest.raises(BadImage, match="leaves a pixel"):
        Preprocessing(source_aspect=1.0, cut=(0.6, 0.3, 0, 0)).apply(np.zeros((1, 1, 3), dtype=np.uint8))


def test_without_a_crop_the_whole_picture_is_kept():
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert np.array_equal(Preprocessing(source_aspect=8 / 6, crop="none", height=6, width=8).apply(picture), picture)


def test_another_size_of_the_same_aspect_is_welcome_and_another_aspect_rejected():
    for height, width in ((480, 640), (240, 320), (478, 640)):
        assert AT_30_HZ.apply(np.zeros((height, width, 3), dtype=np.uint8)).shape == (64, 64, 3)
    with pytest.raises(BadImage, match=r"1\.333.*1280x720"):
        AT_30_HZ.apply(np.zeros((720, 1280, 3), dtype=np.uint8))


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 4), (0, 640, 3)])
def test_what_is_not_a_colour_picture_is_rejected(shape):
    with pytest.raises(BadImage):
        AT_30_HZ.apply(np.zeros(shape, dtype=np.uint8))


def test_preprocessing_survives_yaml_and_rejects_a_misspelt_key():
    assert Preprocessing.parse(AT_30_HZ.plain()) == AT_30_HZ
    with pytest.raises(BadConfig, match="Did you mean `crop`"):
        Preprocessing.parse({"source_aspect": 1.0, "corp": "none"})
