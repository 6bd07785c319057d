"""The arm of a robot from its URDF: kinematics as MuJoCo computes them, primitives of its hand, and wrong files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from urdf_robot import ARM, NAMES, robot_manifest, urdf, write_urdf

from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.kinematics import ArmChain
from hwm_core.planning.limit_file import read_limits
from hwm_core.planning.proposals.arm import Arm, ArmConfig
from hwm_core.sim.gl import mujoco


def arm(folder: Path, **settings: object) -> Arm:
    found = ArmConfig.parse({"urdf": write_urdf(folder), "palm": "palm", **settings}).arm(robot_manifest())
    assert found is not None
    return found


def postures(count: int) -> torch.Tensor:
    return 2 * torch.rand(count, len(ARM), generator=torch.Generator().manual_seed(0)) - 1


def palms_in_mujoco(angles: np.ndarray) -> list[np.ndarray]:
    model = mujoco.MjModel.from_xml_string(urdf())
    data = mujoco.MjData(model)
    addresses = [model.jnt_qposadr[model.joint(name).id] for name in ARM]
    found = []
    for posture in angles:
        data.qpos[addresses] = posture
        mujoco.mj_kinematics(model, data)
        found.append(data.body("palm").xpos.copy())
    return found


def test_palms_are_where_mujoco_has_them(tmp_path: Path) -> None:
    chain = arm(tmp_path).kinematics
    assert chain.joints == ARM, "of the model, without the head, the lift and the gripper"
    some = postures(20)
    np.testing.assert_allclose(chain.palm(some), palms_in_mujoco(some.double().numpy()), atol=1e-5)


def test_the_palm_may_stand_beside_its_link(tmp_path: Path) -> None:
    here, there = (arm(tmp_path, offset=offset).kinematics for offset in ((0, 0, 0), (0.0, 0.0, 0.1)))
    distance = (here.palm(postures(5)) - there.palm(postures(5))).norm(dim=1)
    torch.testing.assert_close(distance, torch.full((5,), 0.1))


def test_postures_reach_points_within_the_limits_of_the_file(tmp_path: Path) -> None:
    chain = arm(tmp_path).kinematics
    assert isinstance(chain, ArmChain)
    points = chain.palm((chain.home + 0.5 * postures(50)).maximum(chain.lower).minimum(chain.upper))
    found = chain.reach(chain.home.expand(50, -1), points, iterations=20)
    errors = (chain.palm(found) - points).norm(dim=1)
    assert errors.median() < 0.005 and errors.quantile(0.8) < 0.02
    assert (found >= chain.lower).all() and (found <= chain.upper).all()
    assert float(chain.upper[3]) == pytest.approx(0.1)


def test_fingers_point_where_they_should_if_they_are_known(tmp_path: Path) -> None:
    pointing = torch.tensor([1.0, 0.0, 0.0])
    ends = []
    for fingers in ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0)):
        chain = arm(tmp_path, fingers=fingers, pointing=pointing.tolist()).kinematics
        start = chain.home.expand(20, -1)
        posture = chain.reach(start, chain.palm(start) + 0.05 * postures(20)[:, :3], iterations=20)
        longer = arm(tmp_path, offset=(1.0, 0.0, 0.0)).kinematics  # its palm is 1 m along the fingers
        ends.append((longer.palm(posture) - chain.palm(posture)) @ pointing)
    assert ends[0].mean() > ends[1].mean() + 0.1


def test_its_hand_has_the_primitives_of_a_hand(tmp_path: Path) -> None:
    space = JointSpace.from_manifest(robot_manifest(), 30.0, 3.0)
    assert [motion.name for motion in arm(tmp_path).motions(space)] == ["hand reach", "hand detour", "hand stroke"]
    assert [motion.name for motion in arm(tmp_path, strokes=False).motions(space)] == ["hand reach", "hand detour"]


def test_without_a_file_there_is_no_arm() -> None:
    assert ArmConfig().arm(robot_manifest()) is None


def test_the_limits_of_speed_come_from_the_joints_and_not_from_transmissions(tmp_path: Path) -> None:
    assert read_limits(write_urdf(tmp_path), robot_manifest(("elbow",)), 3.0).velocity == [2.0]


@pytest.mark.parametrize(
    ("settings", "names", "kind", "message"),
    [
        ({"palm": "plam"}, NAMES, BadConfig, "Did you mean `palm`"),
        ({"palm": ""}, NAMES, BadConfig, "Name the link"),
        ({"palm": "base"}, NAMES, RobotMismatch, "no revolute joint"),
        ({"joints": ARM[::-1]}, NAMES, BadConfig, "Write shoulder_pan, shoulder_lift"),
        ({"joints": ("gripper",)}, NAMES, BadConfig, "Correct `palm` or `joints`"),
        ({"joints": ("knee",)}, NAMES, RobotMismatch, "got knee"),
        ({}, ("left_knee", "right_knee"), RobotMismatch, "expected joints among left_knee"),
    ],
)
def test_a_palm_or_joints_that_are_not_the_robots_are_rejected(
    tmp_path: Path, settings: dict, names: tuple[str, ...], kind: type[Exception], message: str
) -> None:
    config = ArmConfig.parse({"urdf": write_urdf(tmp_path), "palm": "palm", **settings})
    with pytest.raises(kind, match=message):
        config.arm(robot_manifest(names))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("no xml", "readable XML"),
        ("<sdf/>", "got `sdf`"),
        ('<robot xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:include/></robot>', "Expand it"),
        (urdf().replace('xyz="0.1 0 0"', 'xyz="0.1 0"'), "3 finite numbers"),
        (urdf().replace('xyz="0.1 0 0"', 'xyz="0.1 0 nan"'), "3 finite numbers"),
        (urdf().replace('lower="-2.5"', 'lower="low"'), "2 finite numbers"),
        (urdf().replace('<parent link="c"/>', ""), "joint elbow: expected a parent"),
    ],
)
def test_files_that_are_no_urdf_are_rejected_with_the_reason(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "file.urdf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadConfig, match=message):
        ArmConfig(urdf=str(path), palm="palm").arm(robot_manifest())


def test_a_workspace_whose_intervals_do_not_rise_is_rejected() -> None:
    with pytest.raises(BadConfig, match="lower <= upper"):
        ArmConfig.parse({"workspace": {"x": (0.5, 0.3)}})
