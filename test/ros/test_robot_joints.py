"""The planner's view of the robot's joints: parts, publishers, names. No DDS."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ModelInfo

from hwm_core.errors import BadActions, RobotMismatch
from hwm_ros import convert
from hwm_ros.robot_joints import RobotJoints

pytestmark = pytest.mark.ros

INFO = ModelInfo(joint_names=["neck", "elbow"], aliases=["neck_joint"], alias_joints=["neck"])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def joints(clock):
    return RobotJoints(clock)


def message(names, positions, stamp_ns=1):
    return convert.joint_message(names, np.array(positions), convert.header(stamp_ns))


def test_parts_are_joined_by_name_with_the_oldest_stamp_and_the_robots_names(joints):
    joints.add(message(["wheel", "neck_joint"], [9, 1], 10), 1)
    with pytest.raises(RobotMismatch, match="elbow"):
        joints.measured(INFO)
    joints.add(message(["elbow"], [2], 20), 700)
    measured = joints.measured(INFO)
    assert measured.positions.tolist() == [1, 2]
    assert (measured.stamp_ns, measured.names) == (10, ["neck_joint", "elbow"])


def test_publishers_that_contradict_each_other_are_an_error_until_one_is_silent(joints, clock):
    joints.add(message(["neck", "elbow"], [1, 2]), 100)
    clock.now += 0.01
    joints.add(message(["neck", "elbow"], [1.05, 2]), 900)
    joints.measured(INFO)
    joints.add(message(["neck", "elbow"], [0, 0]), 901)
    with pytest.raises(BadActions, match=r"neck at 0\.000 and 1\.000"):
        joints.measured(INFO)
    clock.now += 1.0
    joints.add(message(["neck", "elbow"], [0, 0]), 902)
    assert joints.measured(INFO).positions.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("names", "positions", "fault"),
    [
        (["neck", "elbow"], [np.nan, 0.0], BadActions),
        (["neck", "elbow"], [1e30, 0.0], BadActions),
        (["neck", "elbow"], [0.0], BadActions),
        (["neck", "neck_joint", "elbow"], [0.0, 1.0, 2.0], RobotMismatch),
        (["neck", "elbow_joint"], [0.0, 1.0], RobotMismatch),
    ],
)
def test_unusable_joints_are_an_error(joints, names, positions, fault):
    joints.add(message(names, positions))
    with pytest.raises(fault):
        joints.measured(INFO)


@pytest.mark.parametrize(
    ("names", "positions"),
    [(["neck", "wheel"], [0.5]), (["neck", "neck_joint", "wheel"], [0.1, 0.2, 0.3]), (["elbow", "wheel"], [])],
)
def test_one_malformed_message_costs_itself_when_a_newer_one_has_its_joints(joints, names, positions):
    joints.add(message(["neck", "elbow"], [1, 2]), 1)
    joints.add(message(names, positions), 900)
    with pytest.raises((BadActions, RobotMismatch)):
        joints.measured(INFO)
    joints.add(message(["neck", "elbow"], [1, 2]), 2)
    assert joints.measured(INFO).positions.tolist() == [1, 2]


def test_velocities_without_positions_hide_no_position(joints):
    joints.add(message(["neck", "elbow"], [1, 2]), 1)
    velocities = message(["neck", "elbow"], [])
    velocities.velocity = [0.1, 0.2]
    joints.add(velocities, 900)
    assert joints.measured(INFO).positions.tolist() == [1, 2]


def test_ever_new_names_do_not_fill_the_memory(joints):
    for number in range(5000):
        joints.add(message(["neck", "elbow", f"joint {number}"], [1, 2, 3]))
    assert len(joints._newest) == 32 and joints.measured(INFO).positions.tolist() == [1, 2]
