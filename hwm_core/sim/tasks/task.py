"""A task of the closed loop: bring the robot or an object to where a goal image shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadConfig
from hwm_core.sim.model import SimHumanoid

Vector = NDArray[np.float64]


class NoTask(BadConfig):
    """A seed whose scene gives no task within the bounded number of tries."""


@dataclass(frozen=True)
class Target:
    """What a task compares with its value in the goal image."""

    measure: Callable[[SimHumanoid], Vector]  # the value now, such as the position [3] of a palm
    value: Vector  # the value in the goal image


@dataclass(frozen=True)
class Candidate:
    """A goal that a generator reached with the robot; the robot is still at the goal."""

    target: Target
    demonstration: Vector  # [F, A] commands from the start that fulfil the task
    goal_image: NDArray[np.uint8]  # [H, W, 3] RGB from the head camera


@dataclass(frozen=True)
class TaskKind:
    """One row of the table of tasks."""

    name: str
    joints: tuple[str, ...]  # the joints that a controller plans; the other joints hold
    seconds: float  # length of an episode
    threshold: float  # an episode succeeds if the error at its end is below
    unit: Literal["m", "rad"]  # of errors
    start_errors: tuple[float, float]  # smallest and largest error at the start
    attempt: Callable[[SimHumanoid, np.random.Generator], Candidate | None]
    """Move the robot to a random goal. None where the goal does not suit; the robot may be anywhere."""
    tries: int  # bound on the attempts
    stream: int  # of random numbers: two kinds of task draw different numbers for the same seed


@dataclass(frozen=True)
class Task:
    """One start and one goal. Controllers see the goal image only; the target is for measuring."""

    kind: TaskKind
    seed: int
    start: Vector  # SimHumanoid.save() at the start
    goal_image: NDArray[np.uint8]  # [H, W, 3] RGB from the head camera
    target: Target
    demonstration: Vector  # [F, A] commands that fulfil the task from the start

    def error(self, robot: SimHumanoid) -> float:
        """Distance to the goal in `kind.unit`."""
        return float(np.linalg.norm(self.target.measure(robot) - self.target.value))

    def fulfilled(self, robot: SimHumanoid) -> bool:
        """Whether the error is below the threshold of success."""
        return self.error(robot) < self.kind.threshold


def make_task(kind: TaskKind, robot: SimHumanoid, seed: int) -> Task:
    """Reset `robot` to the scene of `seed`, find a goal by moving there, and restore the start.

    A goal is accepted only if its error at the start is within `kind.start_errors`, so no task starts fulfilled.

    Raises:
        NoTask: no goal was found in `kind.tries` attempts; `robot` stays at the start.
    """
    robot.reset(seed)
    rng = np.random.default_rng([seed, kind.stream])
    start = robot.save()
    low, high = kind.start_errors
    for _ in range(kind.tries):
        found = kind.attempt(robot, rng)
        robot.restore(start)
        if found is None:
            continue
        task = Task(kind, seed, start, found.goal_image, found.target, found.demonstration)
        if low <= task.error(robot) <= high:
            return task
    raise NoTask(
        f"Task `{kind.name}` of seed {seed}",
        expected=f"a goal {low:g} to {high:g} {kind.unit} away that can be reached without disturbing other objects",
        got=f"none in {kind.tries} tries",
        remedy="Choose another seed.",
    )
