"""A simulated robot that performs one task after another, on a clock that never runs back."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.joint_names import match_names
from hwm_core.errors import BadActions
from hwm_core.sim.description import ROBOT, JointReading
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import NoTask, Task, make_task

# The pause between two tasks, so that no context holds frames of both.
_BETWEEN_TASKS_NS = 1_000_000_000


class SimSession:
    """The humanoid, at first at the start of the task of `seed`.

    Args:
        seed: of the first task.
        camera_size: height and width of the images in pixels.
        task: name in TASKS.

    Raises:
        MissingGL: the machine cannot render offscreen.
        NoTask: the seed has no task.
    """

    def __init__(self, seed: int, camera_size: int, task: str = "reach") -> None:
        self._kind = TASKS[task]
        self.robot = SimHumanoid(seed, camera_size)
        self._offset_ns = 0
        self.task: Task = make_task(self._kind, self.robot, seed)

    def close(self) -> None:
        self.robot.close()

    def reset(self, seed: int) -> None:
        """Start another task, one second later on the clock.

        Raises NoTask where the seed has no task; the task before begins again.
        """
        ended_ns = self.stamp_ns
        try:
            self.task = make_task(self._kind, self.robot, seed)
        except NoTask:
            self.task = make_task(self._kind, self.robot, self.task.seed)
            self._offset_ns += ended_ns + _BETWEEN_TASKS_NS - self.stamp_ns
            raise
        self._offset_ns += ended_ns + _BETWEEN_TASKS_NS - self.stamp_ns

    @property
    def stamp_ns(self) -> int:
        """Simulated time in nanoseconds."""
        return self._offset_ns + self.robot.time_ns

    @property
    def task_error(self) -> float:
        """Distance to the goal, in m or rad (`task.kind.unit`)."""
        return self.task.error(self.robot)

    def frame(self) -> NDArray[np.uint8]:
        """The head camera's image, uint8 [H, W, 3] RGB."""
        return self.robot.render()

    def reading(self) -> JointReading:
        """Joint positions and velocities now."""
        return self._on_clock(self.robot.joint_state())

    def command(self, names: Sequence[str], positions: Sequence[float] | NDArray) -> None:
        """Set the targets of some or all joints; the other targets stay. They take effect at the next `advance`.

        Raises:
            RobotMismatch: the robot does not have a joint.
            BadActions: not exactly one finite position per name.
        """
        columns = match_names(names, self.robot.joints.names, whose=f"the {ROBOT}")
        if len(positions) != len(names):
            raise BadActions(
                "Command",
                expected=f"{len(names)} positions, one per name",
                got=len(positions),
                remedy="Fix the publisher.",
            )
        targets = self.robot.last_command
        targets[columns] = positions
        self.robot.command(targets)

    def hold(self) -> None:
        """Set the targets to where the joints are: the robot stops."""
        self.robot.command(self.robot.positions)

    def advance(self) -> list[JointReading]:
        """Simulate one camera period; returns its joint states, the last at the new frame."""
        return [self._on_clock(reading) for reading in self.robot.advance()]

    def _on_clock(self, reading: JointReading) -> JointReading:
        return replace(reading, time_ns=reading.time_ns + self._offset_ns)
