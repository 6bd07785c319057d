"""Robot descriptions."""

import pytest

from hwm_core.data.robot.description import Robot
from hwm_core.errors import BadConfig


def test_a_robot_is_described_by_joint_names_or_by_patterns():
    described = Robot.parse(
        {"name": "r", "joints": {"left_gripper": {"unit": "m", "limits": [0, 0.05]}, "left_*": {"limits": [-1, 1]}}}
    )
    joints = [described.joint(name) for name in ("left_gripper", "left_elbow", "neck")]
    assert [joint.unit for joint in joints] == ["m", "rad", "rad"]
    assert [joint.limits for joint in joints] == [(0, 0.05), (-1, 1), None]
    with pytest.raises(BadConfig, match="lower < upper"):
        Robot.parse({"name": "r", "joints": {"neck": {"limits": [1, -1]}}})
