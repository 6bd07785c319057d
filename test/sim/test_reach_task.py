"""The reach task: the goal is far from the start, can be reached, and is shown by the goal image."""

import numpy as np
import pytest

from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.reach_task import PLANNED_JOINTS, SUCCESS_M, NoReachTask, ReachTask, make_reach_task

SEEDS = (2_000_000, 2_000_001, 2_000_002)


@pytest.fixture(scope="module")
def robot():
    with SimHumanoid(0, camera_size=48) as robot:
        yield robot


@pytest.mark.parametrize("seed", SEEDS)
def test_the_goal_is_at_least_18_cm_away_and_its_commands_reach_it(robot, seed):
    task = make_reach_task(robot, seed)
    np.testing.assert_array_equal(robot.save(), task.start)
    assert 0.18 <= task.distance_m(robot) <= 0.35
    objects = robot.object_positions()
    for command in task.goal_commands:
        robot.command(command)
        robot.advance()
    assert task.distance_m(robot) == 0.0
    np.testing.assert_array_equal(robot.render(), task.goal_image)
    assert np.abs(robot.object_positions() - objects).max() < 0.01


def test_the_goal_commands_move_planned_joints_only_within_their_velocity(robot):
    task, table = make_reach_task(robot, SEEDS[0]), robot.joints
    others = [k for k, name in enumerate(table.names) if name not in PLANNED_JOINTS]
    assert np.ptp(task.goal_commands[:, others], axis=0).max() == 0
    assert (np.abs(np.diff(task.goal_commands, axis=0)) * 30 <= table.max_velocity + 1e-9).all()


def test_the_same_seed_gives_the_same_task(robot):
    one, other = make_reach_task(robot, SEEDS[1]), make_reach_task(SimHumanoid(9, camera_size=48), SEEDS[1])
    np.testing.assert_array_equal(one.goal_image, other.goal_image)
    np.testing.assert_array_equal(one.start, other.start)


def test_holding_still_does_not_reach_the_goal(robot):
    task = make_reach_task(robot, SEEDS[2])
    start_distance_m = task.distance_m(robot)
    for _ in task.goal_commands:
        robot.advance()
    assert task.distance_m(robot) == pytest.approx(start_distance_m, abs=0.005)


def test_a_seed_without_a_goal_ends_with_an_error_and_the_robot_at_its_start(robot, monkeypatch):
    monkeypatch.setattr("hwm_core.sim.reach_task._MAX_TRIES", 20)
    with pytest.raises(NoReachTask, match=r"seed 2200003: .*none in 20 random motions"):
        make_reach_task(robot, 2_200_003)  # an object moved in all of 300 motions
    start = robot.save()
    robot.reset(2_200_003)
    np.testing.assert_array_equal(robot.save(), start)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_cem_with_the_simulator_as_model_reaches_the_goal(robot, seed):
    """Receding horizon: 12 plans of 3 x 32 candidates over 20 ticks; 5 ticks of each are executed (23,100 ticks)."""
    task, table = make_reach_task(robot, seed), robot.joints
    columns, rng = table.index(*PLANNED_JOINTS), np.random.default_rng(seed)
    step = table.max_velocity[columns] / 30
    for _ in range(12):
        state, now = robot.save(), robot.last_command
        mean, spread = now[columns], np.where(np.arange(7) == 6, 0.005, 0.3)
        for _ in range(3):
            targets = mean + spread * rng.standard_normal((32, 7))
            costs = [_play(robot, state, now, columns, target, step, 20, task) for target in targets]
            elites = targets[np.argsort(costs)[:6]]
            mean, spread = elites.mean(axis=0), elites.std(axis=0)
        _play(robot, state, now, columns, mean, step, 5, task)
    assert task.distance_m(robot) < SUCCESS_M


def _play(robot: SimHumanoid, state, now, columns, target, step, ticks: int, task: ReachTask) -> float:
    """Move the planned joints to `target` at their velocity limit; returns the mean distance over the ticks."""
    robot.restore(state)
    command, distance = now.copy(), 0.0
    for _ in range(ticks):
        command[columns] += np.clip(target - command[columns], -step, step)
        command = robot.command(command)
        robot.advance()
        distance += task.distance_m(robot) / ticks
    return distance
