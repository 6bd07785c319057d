"""The arm's kinematics for planning agree with the simulator."""

import numpy as np
import pytest
import torch

from hwm_core.errors import BadConfig
from hwm_core.sim.arm_chain import arm_chain, simulated_arm
from hwm_core.sim.description import SIDES, load_model
from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid


@pytest.fixture(scope="module")
def robot():
    return SimHumanoid(7)


@pytest.mark.parametrize("side", SIDES)
def test_palms_are_where_the_simulator_has_them(robot, side):
    arm, truth = simulated_arm(side), ArmKinematics(robot, side)
    share = torch.rand(10, 6, generator=torch.Generator().manual_seed(0))
    postures = arm.lower + share * (arm.upper - arm.lower)
    expected = [truth.palm(posture) for posture in postures.double().numpy()]
    np.testing.assert_allclose(arm.palm(postures), expected, atol=1e-5)


@pytest.mark.parametrize("side", SIDES)
def test_postures_reach_points_above_the_table_within_the_limits(side):
    arm, sign = simulated_arm(side), 1 if side == "left" else -1
    share = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([0.36, 0.0, 0.04]) + share * torch.tensor([0.22, sign * 0.28, 0.16])
    postures = arm.reach(arm.home.expand(200, -1), points)
    errors = (arm.palm(postures) - points).norm(dim=1)
    assert errors.median() < 0.003 and errors.quantile(0.9) < 0.02
    assert (postures >= arm.lower).all() and (postures <= arm.upper).all()


def test_it_finds_the_postures_of_the_kinematics_of_the_recordings(robot):
    arm, truth = simulated_arm("right"), ArmKinematics(robot, "right")
    point = np.array([0.5, -0.15, 0.1])
    posture = arm.reach(arm.home[None], torch.as_tensor(point, dtype=torch.float32)[None])[0]
    expected = truth.reach(arm.home.double().numpy(), point, iterations=12)
    np.testing.assert_allclose(posture, expected, atol=1e-3)


def test_joints_in_another_order_are_rejected_with_the_right_order():
    names = simulated_arm("right").joints
    with pytest.raises(BadConfig, match="right_shoulder_pitch, right_shoulder_roll"):
        arm_chain(load_model(), "right_palm", names[::-1], np.zeros(6), (0, 0, -1), (1, 0, 0))
