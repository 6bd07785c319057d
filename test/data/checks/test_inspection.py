"""Inspection of recordings."""

import numpy as np
import pytest
from recordings import NAMES, PERIOD, START, TOPICS, Message, grey_image, real_data, record, run

from hwm_core.data.checks.inspection import inspect
from hwm_core.data.discover import find_recordings
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadBag
from hwm_core.visualization.thumbnails import thumbnail_sheet


def inspected(tmp_path, messages):
    record(tmp_path / "run", messages)
    return inspect(find_recordings(tmp_path / "run", TOPICS)[0])


def test_rates_gaps_and_clock_jumps_are_measured_from_the_stamps(tmp_path):
    messages = run(30) + run(30, START + 60 * PERIOD) + run(30)
    found = inspected(tmp_path, messages)
    images = found.rates["images"]
    assert images.messages == 90 and abs(images.hz - 30) < 0.01 and abs(found.rates["states"].hz - 90) < 0.1
    ((at, length),) = images.gaps
    assert abs(at - 29 / 30) < 0.01 and abs(length - 31 / 30) < 0.01
    assert images.jumps == 1 and images.jitter_ms < 0.01
    assert any("the clock jumps back 1 times" in remark for remark in found.remarks())


def test_joints_and_a_camera_of_different_clocks_are_rejected_with_their_times(tmp_path):
    later = 1000 * 10**9  # ns
    messages = [m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns + later, m.content) for m in run(20)]
    with pytest.raises(BadBag, match=r"images at 100\..* states at 1100\..* Stamp all messages with one clock"):
        inspected(tmp_path, messages)


def test_repeated_images_reveal_the_true_rate_of_the_camera(tmp_path):
    messages = run(40)
    stills = [m for m in messages if m.topic == TOPICS.image and (m.content[0, 0, 0] % 4) == 3]
    for still in stills:
        still.content[:] -= 1  # every fourth image repeats the third
    found = inspected(tmp_path, messages)
    assert found.repeats == 10 / 39 and found.longest_repeat == 1
    assert abs(found.fresh_hz - 30 * 29 / 39) < 0.01
    assert "Copying the last frame looks too good" in found.remarks()[0]


def test_the_bars_of_a_letterbox_are_found_but_not_in_a_dark_scene(tmp_path):
    messages = run(20)
    for m in messages:
        if m.topic == TOPICS.image:
            m.content[:] += 30
            m.content[:6] = m.content[18:] = 0  # of 24 rows
    found = inspected(tmp_path, messages)
    assert found.bars == pytest.approx((0.25, 0.25, 0, 0), abs=0.02)
    assert any("black bars" in remark for remark in found.remarks())
    record(
        tmp_path / "dark",
        [m if m.topic != TOPICS.image else Message(m.topic, m.stamp_ns, grey_image(3)) for m in run(9)],
    )
    dark = inspect(find_recordings(tmp_path / "dark", TOPICS)[0])
    assert dark.bars == (0, 0, 0, 0)
    assert any("almost black, at most 3 of 255" in remark for remark in dark.remarks())
    assert not any("almost black" in remark for remark in found.remarks())


def test_constant_dimensions_are_listed(tmp_path):
    messages = [
        m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns, (NAMES, (m.content[1][0], 0.5, 0.5)))
        for m in run(20)
    ]
    found = inspected(tmp_path, messages)
    assert [one.constant for one in found.joints["states"]] == [False, True, True]
    assert any("2 of 3 dimensions are constant: elbow, wrist" in remark for remark in found.remarks())


def test_the_contact_sheet_has_every_thumbnail(tmp_path):
    found = inspected(tmp_path, run(100))
    assert 24 <= len(found.thumbnails) < 48 and found.thumbnail_s[1] == pytest.approx(4 / 30, abs=1e-3)
    sheet = thumbnail_sheet("run", ["a note"], found.thumbnails, found.thumbnail_s)
    assert sheet.dtype == np.uint8 and sheet.shape[1] >= 900


@pytest.mark.realdata
def test_the_repeated_images_and_the_lag_of_g1_are_measured():
    recordings = {one.number: one for one in find_recordings(real_data("g1_yellow_bottle"), TOPICS)}
    found = inspect(recordings[29])
    assert 0.15 < found.repeats < 0.35 and 20 < found.fresh_hz < 26
    lags = {found.lag_names[one.column]: one.frames for one in found.lag.joints}
    hands = [frames for name, frames in lags.items() if "Hand" in name]
    arms = [frames for name, frames in lags.items() if "Hand" not in name]
    assert 3 < np.median(arms) < 5.5 and 8 < np.median(hands) < 14  # the hands are slower still
    assert found.rates["images"].gaps == ()
    assert any(remark.startswith("commands lead states by 4.0 frames") for remark in found.remarks())


@pytest.mark.realdata
def test_the_letterbox_and_the_25_constant_commands_of_gr1_are_found():
    recordings = {one.number: one for one in find_recordings(real_data("gr1_sim_picknplace"), TOPICS)}
    found = inspect(recordings[1])
    assert sum(one.constant for one in found.joints["commands"]) == 25
    assert found.bars[0] > 0.1 and found.bars[1] > 0.1


@pytest.mark.realdata
def test_the_letterbox_of_gr1_is_gone_with_the_margins_that_inspect_prints():
    recordings = {one.number: one for one in find_recordings(real_data("gr1_sim_picknplace"), TOPICS)}
    camera = Preprocessing(source_aspect=1.0, crop="none", frame_rate_hz=20.0)
    rows = [
        recordings[1].read(one)[0].frames.max(axis=(0, 2, 3))  # the brightest pixel of each row over all images
        for one in (camera, camera.model_copy(update={"margins": inspect(recordings[1]).bars}))
    ]
    assert (rows[0] < 16).sum() > 12 and rows[1].min() > 16
