"""One episode of one task by one controller. Deterministic."""

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.closed_loop.controller import Controller, Decision, Situation, Truth
from hwm_core.evaluation.sim_observer import SimObserver, View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.task import Task, TaskKind, make_task

MakeController = Callable[[Situation, Truth], Controller]


@dataclass(frozen=True)
class TimedDecision:
    """A decision, and what it took."""

    frame: int  # it acts from the frame after this one; 0 is the start
    seconds: float  # processor time
    futures: int
    predicted: NDArray[np.uint8] | None  # [H, W, 3]


@dataclass(frozen=True)
class ClosedLoopEpisode:
    """The course of an episode of F frames."""

    task: Task
    errors: NDArray[np.float64]  # [F + 1] in the task's unit, at the start and after every frame
    frames: NDArray[np.uint8]  # [F + 1, H, W, 3] preprocessed, at the same times
    goal: NDArray[np.uint8]  # [H, W, 3] preprocessed
    decisions: tuple[TimedDecision, ...]

    @property
    def success(self) -> bool:
        """Whether the error at the end is below the task's threshold."""
        return bool(self.errors[-1] < self.task.kind.threshold)

    @property
    def success_at_closest(self) -> bool:
        """Whether the smallest error is below the threshold."""
        return bool(self.errors.min() < self.task.kind.threshold)


def run_episode(
    robot: SimHumanoid,
    view: View,
    space: JointSpace,
    kind: TaskKind,
    seed: int,
    make_controller: MakeController,
    with_predictions: bool = False,
) -> ClosedLoopEpisode:
    """Run the task of `seed` for its length.

    Every command keeps the limits of `space` and moves the planned joints only, whatever the controller asks.

    Args:
        robot: simulated robot; it is reset.
        view: frame rate, images and joints of the controller.
        space: limits of the view's joints.
        kind: kind of task.
        seed: of the task and of the controller.
        make_controller: builds the controller after the task was made.
        with_predictions: keep the images that the controller expects, for films.

    Raises:
        NoTask: the seed has no task.
        RobotMismatch: a view of another robot.
        BadConfig: the view's frame rate does not divide the robot's.
        MissingGL: the machine cannot render offscreen.
    """
    observer = SimObserver(robot, view)
    task = make_task(kind, robot, seed)
    observer.hold_until_full()
    goal = view.preprocessing.apply(task.goal_image)
    length = round(kind.seconds * view.frame_rate_hz)
    controller = make_controller(Situation(goal, space, kind.joints, length, seed), Truth(robot, task))
    errors, frames = [task.error(robot)], [observer.observation().frames[-1]]
    decisions: list[TimedDecision] = []
    guard = _Guard(space, kind.joints, observer.observation().actions[-2:])
    begun, due = 0, 0
    for frame in range(length):
        if frame == due:
            decision, seconds = _timed(controller, observer)
            expected = decision.predicted() if with_predictions and decision.predicted else None
            decisions.append(TimedDecision(frame, seconds, decision.futures, expected))
            begun, due = frame, frame + controller.replan_frames
        asked = decision.actions[min(frame - begun, len(decision.actions) - 1)]
        frames.append(observer.step(guard.allowed(asked)))
        errors.append(task.error(robot))
    return ClosedLoopEpisode(task, np.array(errors), np.stack(frames), goal, tuple(decisions))


def _timed(controller: Controller, observer: SimObserver) -> tuple[Decision, float]:
    begin = process_time()
    decision = controller.decide(observer.observation())
    return decision, process_time() - begin


class _Guard:
    """Turns what a controller asks for into commands that keep all limits and move planned joints only.

    Args:
        space: limits of all joints.
        joints: the planned joints.
        recent: [2, A] the two newest actions.
    """

    def __init__(self, space: JointSpace, joints: tuple[str, ...], recent: NDArray[np.float32]) -> None:
        before, self._command = torch.from_numpy(recent)
        self._space, self._planned = space, space.index(joints)
        self._last_step, self._asked = self._command - before, self._command

    def allowed(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """The command [A] for the asked action [A]; the same if it is within the limits."""
        asked = self._command.clone()
        asked[self._planned] = torch.from_numpy(action)[self._planned]
        command = self._space.step(asked, self._asked, self._command, self._last_step)
        self._command, self._last_step, self._asked = command, command - self._command, asked
        return command.numpy()
