"""The simulated robot behind the sim_robot node. No ROS."""

import numpy as np
import pytest

from hwm_core.errors import BadActions, RobotMismatch
from hwm_core.sim.session import SimSession

SEED = 2_000_000


@pytest.fixture(scope="module")
def session():
    it = SimSession(SEED, camera_size=32)
    yield it
    it.close()


def test_commanded_joints_move_and_the_others_keep_their_targets(session):
    before = session.robot.data.ctrl.copy()
    column = session.robot.joints.names.index("right_elbow_pitch")
    session.command(["right_elbow_pitch"], [before[column] + 0.05])
    after = session.robot.data.ctrl
    assert after[column] == pytest.approx(before[column] + 0.05)
    np.testing.assert_array_equal(np.delete(after, column), np.delete(before, column))


def test_one_advance_is_one_camera_period_of_joint_states(session):
    before = session.stamp_ns
    readings = session.advance()
    assert session.stamp_ns - before == pytest.approx(1e9 / 30, abs=1)
    assert [r.time_ns for r in readings] == sorted({r.time_ns for r in readings})
    assert readings[-1].time_ns == session.stamp_ns


def test_the_clock_goes_on_over_a_reset_and_the_task_is_that_of_the_seed(session):
    before, distance = session.stamp_ns, session.palm_distance_m
    session.reset(SEED + 1)
    assert session.stamp_ns == before + 1_000_000_000
    assert session.palm_distance_m == pytest.approx(session.task.start_distance_m, abs=1e-6)
    assert session.palm_distance_m != distance


def test_following_the_drive_to_the_goal_brings_the_palm_there(session):
    session.reset(SEED)
    for command in session.task.goal_commands:
        session.command(session.robot.joints.names, command)
        session.advance()
    assert session.palm_distance_m < 0.01


@pytest.mark.parametrize(
    ("names", "positions", "error"),
    [
        (["tail"], [0.0], RobotMismatch),
        (["right_elbow_pitch"], [0.0, 1.0], BadActions),
        (["right_elbow_pitch"], [np.nan], BadActions),
    ],
)
def test_bad_commands_are_rejected(session, names, positions, error):
    with pytest.raises(error):
        session.command(names, positions)
