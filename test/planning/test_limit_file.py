"""Limits from a robot's YAML file, or from a URDF."""

from math import pi
from pathlib import Path

import numpy as np
import pytest

from hwm_core.data.robot.manifest import ActionManifest, fit_manifest
from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.planning.limit_file import JointLimits, read_limits
from hwm_core.planning.limits import Limits

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


def manifest(names=NAMES, unit: str = "rad", aliases=None) -> ActionManifest:
    """Joints that may move from -1 to 1."""
    values = np.linspace(-0.5, 0.5, 9)[:, None].repeat(len(names), 1)
    return fit_manifest("r", "states", names, [unit] * len(names), values, [(-1.0, 1.0)] * len(names), aliases=aliases)


def limits_of(path: Path, names=NAMES, **options) -> JointLimits:
    return read_limits(path, manifest(names, **options), 3.0)


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_urdf_limits_the_speeds_of_its_joints_and_the_others_have_the_common_limit(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1.5"))
    found = limits_of(path)
    assert found.velocity == [1.5, 3.0, 3.0], "no limit is above the common one"
    assert found.acceleration == pytest.approx([10.0, 20.0, 20.0]), "full speed in 0.15 s"


def test_a_urdf_may_state_any_high_speed(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1000"))
    assert limits_of(path).velocity == [3.0, 3.0, 3.0]


def test_positions_are_limited_by_the_checkpoint_the_urdf_and_its_soft_limits_together(tmp_path: Path) -> None:
    soft = '<safety_controller soft_lower_limit="0.25" soft_upper_limit="1.75" k_velocity="1"/>'
    text = URDF.format(elbow="1").replace('velocity="9.0"/>', f'velocity="9.0"/>{soft}')
    found = limits_of(written(tmp_path, "robot.urdf", text))
    assert (found.lower, found.upper) == ([0.0, 0.25, -1.0], [1.0, 1.0, 1.0])
    space = Limits(file=str(tmp_path / "robot.urdf")).space(manifest(), 30.0)
    assert (space.lower.tolist(), space.upper.tolist()) == (found.lower, found.upper)


def test_a_continuous_joint_has_no_ends_and_a_closure_has_no_limit_in_radians(tmp_path: Path) -> None:
    turning = URDF.format(elbow="1.5").replace('"elbow" type="revolute"', '"elbow" type="continuous"')
    found = limits_of(written(tmp_path, "robot.urdf", turning), ("elbow",))
    assert (found.lower, found.upper, found.velocity) == ([-1.0], [1.0], [1.5])
    with pytest.raises(RobotMismatch, match="in their units"):
        limits_of(written(tmp_path, "robot.urdf", URDF.format(elbow="1.5")), ("elbow",), unit="unit")


def test_a_model_in_degrees_gets_the_limits_of_a_urdf_in_degrees(tmp_path: Path) -> None:
    text = URDF.format(elbow=f"{pi / 180}").replace('upper="2"', f'upper="{pi / 360}"')
    found = limits_of(written(tmp_path, "robot.urdf", text), ("elbow",), unit="deg")
    assert (found.velocity, found.upper) == (pytest.approx([1.0]), pytest.approx([0.5]))


def test_a_urdf_may_use_the_names_that_the_robot_uses(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1.5"))
    assert limits_of(path, ("left_elbow",), aliases={"elbow": "left_elbow"}).velocity == [1.5]


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [("1.5", "2", "overlap those of the checkpoint, -1 to 1"), ("1", "0", "lower < upper"), ("low", "2", "limits")],
)
def test_position_limits_that_leave_no_range_are_rejected_with_the_joint(
    tmp_path: Path, low: str, high: str, message: str
) -> None:
    text = URDF.format(elbow="1").replace('lower="0" upper="2"', f'lower="{low}" upper="{high}"', 1)
    with pytest.raises(BadConfig, match=f"joint elbow.*{message}"):
        limits_of(written(tmp_path, "robot.urdf", text))


def test_position_limits_of_a_robot_file_narrow_those_of_the_checkpoint(tmp_path: Path) -> None:
    text = ROBOT.replace("max_velocity: 1.5,", "limits: [-0.5, 2.0], max_velocity: 1.5,")
    found = limits_of(written(tmp_path, "robot.yaml", text))
    assert (found.lower[0], found.upper[0]) == (-0.5, 1.0)
    with pytest.raises(BadConfig, match="in the unit of the checkpoint, deg, got rad"):
        limits_of(tmp_path / "robot.yaml", unit="deg")


def test_a_robot_file_limits_speeds_and_accelerations_by_name_or_pattern(tmp_path: Path) -> None:
    found = limits_of(written(tmp_path, "robot.yaml", ROBOT))
    assert found.velocity == [1.5, 0.6, 3.0]
    assert found.acceleration == pytest.approx([6.0, 4.0, 20.0])


@pytest.mark.parametrize("velocity", ["-1", "0", "fast", "nan"])
def test_a_limit_that_is_not_positive_is_rejected_with_its_file(tmp_path: Path, velocity: str) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow=velocity))
    with pytest.raises(BadConfig, match="max_velocity"):
        limits_of(path)


def test_a_file_of_another_robot_is_rejected(tmp_path: Path) -> None:
    path = written(tmp_path, "robot.urdf", URDF.format(elbow="1"))
    with pytest.raises(RobotMismatch, match="left_knee"):
        limits_of(path, ("left_knee",))


@pytest.mark.parametrize("text", ["<robot>", "no xml"])
def test_a_broken_urdf_is_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadConfig, match="readable XML"):
        limits_of(written(tmp_path, "robot.urdf", text))
    with pytest.raises(BadConfig, match="readable XML"):
        limits_of(tmp_path / "absent.urdf")
