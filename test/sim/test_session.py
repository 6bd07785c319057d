"""The simulated robot of the sim_robot node, without ROS."""

from dataclasses import replace

import numpy as np
import pytest

from hwm_core.errors import BadActions, RobotMismatch
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.session import SimSession
from hwm_core.sim.tasks.reach import REACH
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import NoTask, make_task

SEED = 2_000_000


@pytest.fixture(scope="module")
def session():
    session = SimSession(SEED, camera_size=32)
    yield session
    session.close()


def test_a_command_for_some_joints_keeps_the_targets_of_the_other_joints(session):
    before = session.robot.data.ctrl.copy()
    column = session.robot.joints.names.index("right_elbow_pitch")
    session.command(["right_elbow_pitch"], [before[column] + 0.05])
    after = session.robot.data.ctrl
    assert after[column] == pytest.approx(before[column] + 0.05)
    np.testing.assert_array_equal(np.delete(after, column), np.delete(before, column))


def test_advance_returns_the_joint_states_of_one_camera_period(session):
    before = session.stamp_ns
    readings = session.advance()
    assert session.stamp_ns - before == pytest.approx(1e9 / 30, abs=1)
    assert [r.time_ns for r in readings] == sorted({r.time_ns for r in readings})
    assert readings[-1].time_ns == session.stamp_ns


def test_a_reset_continues_the_clock_and_starts_the_task_of_its_seed(session):
    before, distance = session.stamp_ns, session.task_error
    session.reset(SEED + 1)
    assert session.stamp_ns == before + 1_000_000_000
    with SimHumanoid(SEED, camera_size=48) as robot:
        assert session.task_error == pytest.approx(make_task(REACH, robot, SEED + 1).error(robot), abs=1e-6)
    assert session.task_error != distance


def test_the_goal_commands_bring_the_palm_to_the_goal(session):
    session.reset(SEED)
    for command in session.task.demonstration:
        session.command(session.robot.joints.names, command)
        session.advance()
    assert session.task_error < 0.01


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


def test_a_reset_to_a_seed_without_a_task_begins_the_task_before_again(monkeypatch):
    monkeypatch.setitem(TASKS, "reach", replace(REACH, tries=20))
    session = SimSession(2_000_001, 48)  # its first motion is a task
    try:
        goal, before_ns = session.task.goal_image.copy(), session.stamp_ns
        with pytest.raises(NoTask):
            session.reset(2_200_003)
        np.testing.assert_array_equal(session.task.goal_image, goal)
        assert session.stamp_ns > before_ns, "the clock never runs back"
    finally:
        session.close()
