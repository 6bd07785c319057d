"""Joint values of a live robot: rates, late messages, parts, several publishers. A simulated robot on a fake clock."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadActions, RobotMismatch
from hwm_core.live.context import Context
from hwm_core.live.joints import LiveJoints

MS = 1_000_000
START = 100_000_000_000
NAMES = ("neck", "elbow")


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


class Robot:
    """Adds messages at their stamps, on a fake clock."""

    def __init__(self, **options):
        self.clock = Clock()
        self.joints = LiveJoints(NAMES, {"neck_joint": "neck"}, capacity=1000, hold_s=0.03, clock=self.clock, **options)

    def say(self, at_ms, names=NAMES, positions=(1.0, 2.0), number=None, stamp_ms=None):
        self.clock.now = 50 + at_ms / 1000
        stamp_ns = START + int((at_ms if stamp_ms is None else stamp_ms) * MS)
        self.joints.add(stamp_ns, names, positions, number)

    def at(self, *ms):
        return self.joints.at(START + np.array(ms) * MS).tolist()


def share_ready(joint_hz, seed=0, seconds=20.0):
    """The share of camera images (30 Hz) after which a context is ready, once it was filled.

    Joint states and images are jittered by 2 ms and arrive up to 10 ms late, in any order.
    """
    rng = np.random.default_rng(seed)
    manifest = fit_manifest("robot", "states", NAMES, ("rad", "rad"), np.array([[-1.0, -1.0], [1.0, 1.0]]))
    context = Context(manifest, Preprocessing(source_aspect=1.0, crop="none", height=1, width=1), 9)
    pixel = SimpleNamespace(encoding="rgb8", height=1, width=1, step=3, is_bigendian=0, data=b"abc")
    events = []
    for rate, kind in ((30.0, "image"), (joint_hz, "joints")):
        acquired = np.arange(0, seconds, 1 / rate) + rng.uniform(0, 0.002, int(np.ceil(seconds * rate)))
        arrived = np.maximum.accumulate(acquired + rng.uniform(0, 0.010, len(acquired)))
        events += [(late, START + int(stamp * 1e9), kind) for late, stamp in zip(arrived, acquired, strict=True)]
    ready = []
    for _, stamp_ns, kind in sorted(events):
        if kind == "joints":
            context.add_states(stamp_ns, NAMES, (0.0, 0.0))
        else:
            context.add_image(stamp_ns, pixel)
            ready.append(context.readiness_error() is None)
    return np.mean(ready[12:])


@pytest.mark.parametrize("joint_hz", [10, 15, 30, 60, 200])
def test_a_context_is_ready_after_every_image_with_joints_of_any_rate(joint_hz):
    assert share_ready(joint_hz) == 1.0


def test_a_later_sample_replaces_a_held_value():
    robot = Robot()
    for at_ms in (0, 100):
        robot.say(at_ms, positions=(at_ms, 0))
    assert robot.at(150)[0][0] == 100
    robot.say(200, positions=(200, 0))
    assert robot.at(150)[0][0] == 150


@pytest.mark.parametrize("late_ms", [20, 150, 900])
def test_one_late_message_costs_itself_alone(late_ms):
    robot = Robot()
    for at_ms in range(0, 1000, 10):
        robot.say(at_ms)
    with pytest.raises(BadActions, match="in order"):
        robot.say(1000, positions=(9, 9), stamp_ms=1000 - late_ms)
    robot.say(1010)
    assert robot.at(0, 500, 1010) == [[1, 2]] * 3


def test_a_clock_that_is_set_back_starts_anew_at_once():
    robot = Robot()
    for at_ms in range(0, 5000, 100):
        robot.say(at_ms)
    robot.say(5000, positions=(3, 4), stamp_ms=-60_000)
    assert robot.joints.newest_ns == START - 60_000 * MS
    assert robot.at(-60_000) == [[3, 4]]


def test_parts_of_several_publishers_are_joined_by_name():
    robot = Robot()
    for at_ms in range(0, 100, 10):
        robot.say(at_ms, ["wheel", "neck_joint"], (7, at_ms), number=1 + at_ms // 10)
        with pytest.raises(RobotMismatch):
            robot.joints.require_complete() if at_ms == 0 else match_nothing(robot)
        robot.say(at_ms + 5, ["elbow"], (-at_ms,), number=501 + at_ms // 10)
    assert robot.at(45) == [[45, -40]]
    assert robot.joints.newest().tolist() == [90, -90]
    assert robot.joints.newest_ns == START + 90 * MS
    assert robot.joints.contested() == ()


def match_nothing(robot):
    robot.joints.add(START, ["wheel", "lift"], [0, 0])


def test_missing_joints_are_reported_with_the_names_that_came():
    robot = Robot()
    robot.say(0, ["neck", "elbow_joint"])
    with pytest.raises(RobotMismatch, match="`elbow` may now be `elbow_joint`"):
        robot.joints.require_complete()
    assert not robot.joints.covers(np.array([START])).any()
    assert not robot.joints.covers_before(np.array([START + MS])).any()


def test_a_second_publisher_of_the_same_joints_changes_nothing_and_is_reported():
    robot = Robot()
    for step in range(100):
        robot.say(10 * step, positions=(1, 2), number=1000 + step)
        robot.say(10 * step + 3, positions=(0, 0), number=1 + step)
        robot.say(10 * step + 4, positions=(5, 5), number=4000 + step, stamp_ms=10 * step - 400)  # another clock
    assert robot.at(500, 505, 990) == [[1, 2]] * 3
    assert robot.joints.newest().tolist() == [1, 2]
    assert robot.joints.contested() == NAMES


def test_a_publisher_that_replaces_a_silent_one_is_used_and_not_reported():
    robot = Robot()
    for step in range(50):
        robot.say(10 * step, number=1000 + step)
    for step in range(120):
        robot.say(500 + 10 * step, positions=(3, 4), number=1 + step)
    assert robot.at(1600) == [[3, 4]]
    assert robot.joints.contested() == ()


def test_of_commands_of_several_publishers_the_newest_counts():
    robot = Robot()
    robot.say(0, positions=(1, 1), number=10)
    robot.say(10, ["elbow"], (2,), number=500)
    robot.say(20, positions=(3, 3), number=11)
    stamps = START + np.array([5, 15, 25]) * MS
    assert robot.joints.before(stamps).tolist() == [[1, 1], [1, 2], [3, 3]]


def test_messages_with_ever_new_names_do_not_fill_the_memory():
    robot = Robot()
    for number in range(2000):
        robot.say(number, [*NAMES, f"joint {number}"], (1, 2, 3))
    assert len(robot.joints._wanted) == 32 and len(robot.joints._parts) == 1


def test_messages_that_cannot_be_used_are_rejected_with_the_reason():
    robot = Robot()
    robot.say(0)
    for names, positions, reason in (
        (NAMES, (np.nan, 0.0), "NaN"),
        (NAMES, (1.0,), "2 positions"),
        ((), (), "among them neck, elbow"),
        (("neck", "neck_joint"), (1.0, 2.0), "neck more than once"),
    ):
        with pytest.raises((BadActions, RobotMismatch), match=reason):
            robot.say(10, names, positions)
    assert robot.joints.newest().tolist() == [1, 2]
