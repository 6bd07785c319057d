"""Speed limits from a robot's YAML file, or from a URDF."""

from pathlib import Path

import pytest

from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.planning.speed_limits import read_speed_limits

NAMES = ("elbow", "wrist", "gripper")
URDF = """<robot name="r">
  <joint name="elbow" type="revolute"><limit lower="0" upper="2" effort="9" velocity="{elbow}"/></joint>
  <joint name="wrist" type="revolute"><limit lower="0" upper="2" effort="9" velocity="9.0"/></joint>
  <joint name="base" type="fixed"/>
</robot>"""
ROBOT = """name: r
joints:
  elbow: {max_velocity: 1.5, max_acceleration: 6.0}
  w*: {max_velocity: 0.6}
"""


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_urdf_limits_the_speeds_of_its_joints_and_the_others_have_the_common_limit(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1.5"))
    speeds, accelerations = read_speed_limits(path, NAMES, 3.0)
    assert speeds == [1.5, 3.0, 3.0], "no limit is above the common one"
    assert accelerations == pytest.approx([10.0, 20.0, 20.0]), "full speed in 0.15 s"


def test_a_urdf_may_state_any_high_speed(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1000"))
    assert read_speed_limits(path, NAMES, 3.0)[0] == [3.0, 3.0, 3.0]


def test_a_robot_file_limits_speeds_and_accelerations_by_name_or_pattern(tmp_path: Path) -> None:
    speeds, accelerations = read_speed_limits(written(tmp_path, "robot.yaml", ROBOT), NAMES, 3.0)
    assert speeds == [1.5, 0.6, 3.0]
    assert accelerations == pytest.approx([6.0, 4.0, 20.0])


@pytest.mark.parametrize("velocity", ["-1", "0", "fast", "nan"])
def test_a_limit_that_is_not_positive_is_rejected_with_its_file(tmp_path: Path, velocity: str) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow=velocity))
    with pytest.raises(BadConfig, match="max_velocity"):
        read_speed_limits(path, NAMES, 3.0)


def test_a_file_of_another_robot_is_rejected(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1"))
    with pytest.raises(RobotMismatch, match="elbow, wrist"):
        read_speed_limits(path, ("left_knee",), 3.0)


@pytest.mark.parametrize("text", ["<robot>", "no xml"])
def test_a_broken_urdf_is_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadConfig, match="readable XML"):
        read_speed_limits(written(tmp_path, "robot.urdf", text), NAMES, 3.0)
    with pytest.raises(BadConfig, match="readable XML"):
        read_speed_limits(tmp_path / "absent.urdf", NAMES, 3.0)
