"""The tasks of the closed loop: a goal is away from the start, can be reached, and is shown by the goal image."""

from dataclasses import replace

import numpy as np
import pytest

from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.look import LOOK
from hwm_core.sim.tasks.push import PUSH
from hwm_core.sim.tasks.reach import REACH
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import Candidate, NoTask, Task, TaskKind, make_task

SEEDS = {"look": 2_400_000, "reach": 2_400_002, "push": 2_400_002}


@pytest.fixture(scope="module")
def robot():
    with SimHumanoid(0, camera_size=48) as robot:
        yield robot


@pytest.fixture(scope="module")
def tasks(robot) -> dict[str, Task]:
    return {name: make_task(kind, robot, SEEDS[name]) for name, kind in TASKS.items()}


def at_the_start(robot: SimHumanoid, task: Task) -> Task:
    robot.reset(task.seed)
    robot.restore(task.start)
    return task


def play(robot: SimHumanoid, task: Task) -> None:
    """The demonstration, then rest until the end of the episode."""
    for tick in range(round(task.kind.seconds * CONTROL_HZ)):
        robot.command(task.demonstration[min(tick, len(task.demonstration) - 1)])
        robot.advance()


@pytest.mark.parametrize("name", TASKS)
def test_a_task_starts_away_from_its_goal_and_its_demonstration_fulfils_it(robot, tasks, name):
    task = at_the_start(robot, tasks[name])
    low, high = task.kind.start_errors
    assert task.kind.threshold < low <= task.error(robot) <= high
    assert not task.fulfilled(robot)
    play(robot, task)
    assert task.error(robot) < 0.25 * task.kind.threshold


@pytest.mark.parametrize("name", TASKS)
def test_holding_still_does_not_fulfil_a_task(robot, tasks, name):
    task = at_the_start(robot, tasks[name])
    before = task.error(robot)
    for _ in range(round(task.kind.seconds * CONTROL_HZ)):
        robot.advance()
    assert task.error(robot) == pytest.approx(before, abs=0.005)


@pytest.mark.parametrize("name", TASKS)
def test_a_demonstration_moves_planned_joints_only_and_within_their_velocity(robot, tasks, name):
    task, table = at_the_start(robot, tasks[name]), robot.joints
    commands = np.concatenate([robot.last_command[None], task.demonstration])
    others = [k for k, joint in enumerate(table.names) if joint not in task.kind.joints]
    assert np.ptp(commands[:, others], axis=0).max() == 0
    assert (np.abs(np.diff(commands, axis=0)) * CONTROL_HZ <= table.max_velocity + 1e-9).all()
    assert len(task.demonstration) <= task.kind.seconds * CONTROL_HZ


@pytest.mark.parametrize("name", TASKS)
def test_the_same_seed_gives_the_same_task(tasks, name):
    with SimHumanoid(9, camera_size=48) as other:
        again = make_task(TASKS[name], other, SEEDS[name])
    np.testing.assert_array_equal(again.goal_image, tasks[name].goal_image)
    np.testing.assert_array_equal(again.start, tasks[name].start)


@pytest.mark.parametrize("name", ["look", "reach"])
def test_the_goal_image_is_the_image_at_the_end_of_the_demonstration(robot, tasks, name):
    task = at_the_start(robot, tasks[name])
    play(robot, task)
    np.testing.assert_array_equal(robot.render(), task.goal_image)


def test_the_goal_image_of_a_push_shows_the_arm_at_its_start_and_only_the_object_moved(robot, tasks):
    task = at_the_start(robot, tasks["push"])
    objects, before = robot.object_positions(), robot.render().astype(int)
    number = int(np.argmin(np.linalg.norm(objects[:, :2] - task.target.measure(robot), axis=1)))
    hidden = robot.object_mask() == number + 1
    play(robot, task)
    moved = np.linalg.norm(robot.object_positions() - objects, axis=1)
    assert 0.09 < moved[number] < 0.15
    assert np.delete(moved, number).max() < 0.01 * np.sqrt(3)
    changed = np.abs(task.goal_image.astype(int) - before).max(axis=2) > 25
    assert hidden[changed].any(), "the object left its place"
    assert changed.mean() < 0.1, "the arm is where it was"


def test_a_seed_without_a_task_ends_with_an_error_and_the_robot_at_its_start(robot):
    with pytest.raises(NoTask, match=r"`reach` of seed 2200003: .*none in 20 tries"):
        make_task(replace(REACH, tries=20), robot, 2_200_003)  # an object moved in all of 300 motions
    start = robot.save()
    robot.reset(2_200_003)
    np.testing.assert_array_equal(robot.save(), start)


@pytest.mark.parametrize("kind", [LOOK, REACH, PUSH])
def test_a_goal_that_is_fulfilled_at_the_start_is_rejected(robot, kind: TaskKind):
    def stay(robot: SimHumanoid, rng: np.random.Generator):
        return replace(found, target=replace(found.target, value=found.target.measure(robot)))

    task = make_task(kind, robot, SEEDS[kind.name])
    found = task_as_candidate(task)
    with pytest.raises(NoTask):
        make_task(replace(kind, attempt=stay, tries=2), robot, SEEDS[kind.name])


def task_as_candidate(task: Task) -> Candidate:
    return Candidate(task.target, task.demonstration, task.goal_image)
