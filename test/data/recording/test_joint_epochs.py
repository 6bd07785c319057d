"""The joints of a recording: named over all messages, joined by name, and of one publisher."""

import numpy as np
import pytest

from hwm_core.data.recording.alignment import Alignment
from hwm_core.data.recording.contradictions import count_returns
from hwm_core.data.recording.events import CameraFrame, JointValues, decoded_event
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadActions, RobotMismatch

START, MS = 1_700_000_000_000_000_000, 1_000_000
PREPARATION = Preprocessing(source_aspect=1.0, crop="none", height=2, width=2)
FRAMES = 60  # at 30 Hz
NAMES = ("neck", "elbow", "wrist")


def truth(ms):
    """Neck, elbow and wrist at a time in ms: none of them jumps."""
    return (np.sin(ms / 300), 0.5 + np.cos(ms / 400), ms / 2000)


def images():
    rgb = np.zeros((2, 2, 3), dtype=np.uint8)
    return [(n * 100 / 3, decoded_event("images", CameraFrame(START + n * 100 * MS // 3, rgb))) for n in range(FRAMES)]


def joints(names=NAMES, every_ms=16, offset_ms=0.0, publisher=0, values=truth, channel="states"):
    """Messages over all frames that name some of the joints."""
    found = []
    for ms in np.arange(-50 + offset_ms, 100 * FRAMES / 3 + 50, every_ms):
        positions = np.array([values(ms)[NAMES.index(name)] for name in names])
        content = JointValues(START + round(ms * MS), tuple(names), positions, publisher)
        found.append((ms, decoded_event(channel, content)))
    return found


def align(*sources, names=None):
    events = [event for _, event in sorted((one for source in sources for one in source), key=lambda one: one[0])]
    alignment = Alignment("run", PREPARATION, names).feed(events)
    timeline = alignment.timeline("before_frame")
    return timeline, alignment.report(timeline)


def assert_true(timeline):
    for name, column in zip(timeline.state_names, timeline.states.T, strict=True):
        expected = [truth((stamp - START) / MS)[NAMES.index(name)] for stamp in timeline.stamps_ns]
        np.testing.assert_allclose(column, expected, atol=2e-3)


def zeros(ms):
    return (0.0, 0.0, 0.0)


def test_joints_that_later_messages_add_are_joints_of_the_recording():
    few, all_of_them = joints(NAMES[:2]), joints()
    timeline, report = align(images(), few[:8], all_of_them[8:])
    assert timeline.state_names == NAMES
    assert_true(timeline)
    assert 0 < report.unaligned_frames < 5  # those before the first value of the wrist


def test_joints_that_only_the_last_messages_name_are_left_out_and_listed():
    timeline, report = align(images(), joints(NAMES[:2])[:-8], joints()[-8:])
    assert timeline.state_names == NAMES[:2] and len(timeline) == FRAMES
    assert report.source_notes == ("states: wrist in too few messages, so left out",)


def test_parts_of_several_publishers_are_joined_by_name():
    timeline, report = align(images(), joints(NAMES[:1]), joints(NAMES[1:], every_ms=23, offset_ms=5))
    assert set(timeline.state_names) == {*NAMES} and len(timeline) == FRAMES
    assert_true(timeline)
    assert (report.bad, report.late) == (0, 0)


@pytest.mark.parametrize("publisher", [0, 1])
def test_publishers_that_agree_are_joined(publisher):
    timeline, _ = align(images(), joints(), joints(NAMES[::-1], 33, 7, publisher), joints(NAMES[:2], 50, 3, publisher))
    assert timeline.state_names == NAMES and len(timeline) == FRAMES
    assert_true(timeline)


@pytest.mark.parametrize("names", [("wrist",), ("wrist", "neck")])
def test_wanted_joints_are_joined_from_messages_that_name_some_of_them(names):
    timeline, _ = align(images(), joints(NAMES[:2]), joints(NAMES[2:], offset_ms=5), names=names)
    assert timeline.state_names == names
    assert_true(timeline)


def test_a_wanted_joint_that_no_message_names_is_reported():
    with pytest.raises(RobotMismatch, match="wrist"):
        align(images(), joints(NAMES[:2]), names=NAMES)


@pytest.mark.parametrize(
    "other",
    [
        joints(offset_ms=7, values=zeros),  # in turns
        joints(every_ms=100, offset_ms=3, values=zeros),  # six times slower
        joints(NAMES[:1], offset_ms=7, values=zeros),  # of one joint
        joints(values=zeros),  # at the same stamps
        joints(values=zeros, publisher=1),
        joints(every_ms=150, offset_ms=3, values=zeros, publisher=1),  # seldom, but of another connection
        joints(offset_ms=7, values=lambda ms: tuple(value + 0.1 for value in truth(ms))),
        joints(offset_ms=7, values=lambda ms: tuple(np.degrees(truth(ms)))),
        joints(offset_ms=7, values=lambda ms: truth(ms - 1000)),  # another robot's motion
    ],
)
def test_publishers_that_contradict_each_other_are_reported_and_not_mixed(other):
    with pytest.raises(BadActions, match=r"Joint states of run: expected one publisher.*neck"):
        align(images(), joints(), other)


def test_a_second_publisher_that_sends_bursts_is_found():
    # Two messages of one, then two of the other.
    pairs = [one for number, one in enumerate(joints(every_ms=8)) if number // 2 % 2 == 0]
    others = [one for number, one in enumerate(joints(every_ms=8, values=zeros)) if number // 2 % 2]
    with pytest.raises(BadActions, match="jumps between two tracks"):
        align(images(), pairs, others)


def test_a_second_publisher_of_a_short_time_in_a_long_recording_is_found():
    long = np.stack([np.sin(np.arange(20_000) / 50), np.full(20_000, 0.3)], axis=1)
    assert not count_returns(long).any()
    long[9000:9100:2] = 0
    assert (count_returns(long) > 40).all()


def test_commands_of_two_publishers_are_reported_too():
    commands = (
        joints(channel="commands", every_ms=33),
        joints(channel="commands", every_ms=33, offset_ms=9, values=zeros),
    )
    with pytest.raises(BadActions, match="Joint commands of run"):
        align(images(), joints(), *commands)


@pytest.mark.parametrize(
    "values",
    [
        lambda ms: (0.3, 0.3, 0.3),
        lambda ms: tuple(np.random.default_rng(int(ms) + 99).normal(0, 0.01, 3)),  # noise
        lambda ms: tuple(np.random.default_rng(int(ms) + 99).uniform(-1, 1, 3)),  # random commands
        lambda ms: (float(ms > 900),) * 3,  # a gripper that closes
        lambda ms: (float(int(ms) // 300 % 2),) * 3,  # and opens, every 0.3 s
        lambda ms: (np.sin(ms / 40),) * 3,  # shaking at 4 Hz
        lambda ms: tuple(np.round(np.degrees(truth(ms)) / 0.088) * 0.088),  # an encoder in degrees
    ],
)
def test_values_of_one_publisher_are_never_taken_for_two(values):
    timeline, _ = align(images(), joints(values=values), joints(values=values, channel="commands", every_ms=33))
    assert len(timeline) == FRAMES


def test_rows_of_a_table_have_no_publishers_and_may_jump():
    jumping = [(ms, one) for ms, one in joints(publisher=None, values=lambda ms: (float(int(ms) // 16 % 2),) * 3)]
    assert len(align(images(), jumping)[0]) == FRAMES


def test_repeated_messages_are_counted():
    timeline, report = align(images(), joints(), joints()[:5])
    assert report.same_stamp == 5 and "5 joint messages with the stamps of others" in report.remarks()
    assert_true(timeline)
