"""Observations of the simulated robot, in the form of a model's live context."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadConfig
from hwm_core.sim.model import CONTROL_HZ, SimHumanoid


class View(Protocol):
    """What a controller sees of the robot, and what it commands. A `WorldModel` is one."""

    @property
    def frame_rate_hz(self) -> float: ...

    @property
    def past_frames(self) -> int: ...

    @property
    def preprocessing(self) -> Preprocessing: ...

    @property
    def manifest(self) -> ActionManifest: ...


@dataclass(frozen=True)
class SimObservation:
    """The context of a model at one frame, and the simulator's state."""

    frames: NDArray[np.uint8]  # [F, H, W, 3] preprocessed; F is the view's past_frames
    actions: NDArray[np.float32]  # [F, A] in manifest order
    state: NDArray[np.float64]  # SimHumanoid.save()


class SimObserver:
    """Collects a model's context from a simulated robot: preprocessed frames, each paired with its action.

    Raises:
        RobotMismatch: a model of another robot.
        BadConfig: a frame rate that does not divide the robot's.
    """

    def __init__(self, robot: SimHumanoid, view: View) -> None:
        self._ticks = round(CONTROL_HZ / view.frame_rate_hz)  # control ticks for each frame of the model
        if self._ticks * view.frame_rate_hz != CONTROL_HZ:
            raise BadConfig(
                "Frame rate",
                expected=f"{CONTROL_HZ} Hz, the rate of the simulated robot, divided by a whole number",
                got=f"{view.frame_rate_hz:g} Hz",
                remedy="Use a checkpoint that was trained at such a rate.",
            )
        self._robot, self._view = robot, view
        self._columns = view.manifest.match(robot.joints.names)
        self._seen: deque[tuple[NDArray[np.uint8], NDArray[np.float32]]] = deque(maxlen=view.past_frames)

    def look(self) -> NDArray[np.uint8]:
        """Add the current frame to the context and return it, preprocessed. The next command acts on the next frame."""
        frame = self._view.preprocessing.apply(self._robot.render())
        commanded = self._view.manifest.kind == "commands"
        values = self._robot.last_command if commanded else self._robot.positions
        self._seen.append((frame, values[self._columns].astype(np.float32)))
        return frame

    def hold_until_full(self) -> None:
        """Hold the pose until the context is full."""
        self.look()
        while len(self._seen) < self._view.past_frames:
            self._advance()
            self.look()

    def observation(self) -> SimObservation:
        """The current context; it must be full."""
        frames, actions = (np.stack(parts) for parts in zip(*self._seen, strict=True))
        return SimObservation(frames, actions, self._robot.save())

    def actions_of(self, commands: NDArray[np.float64]) -> NDArray[np.float32]:
        """The actions [F, A] that lead through commands of control ticks, [F * ticks, robot's joints]."""
        return commands[self._ticks - 1 :: self._ticks, self._columns].astype(np.float32)

    def act(self, action: NDArray[np.float32]) -> None:
        """Send an action [A] in manifest order and advance by one frame. Joints that the manifest lacks do not move.

        Where the robot has several control ticks in a frame, the commands before the action lead straight to it.
        """
        before = self._robot.last_command
        for tick in range(1, self._ticks + 1):
            command = before.copy()
            command[self._columns] = action + (before[self._columns] - action) * (1 - tick / self._ticks)
            self._robot.command(command)
            self._robot.advance()

    def step(self, action: NDArray[np.float32]) -> NDArray[np.uint8]:
        """`act` and `look`."""
        self.act(action)
        return self.look()

    def _advance(self) -> None:
        """Hold the last command for one frame."""
        for _ in range(self._ticks):
            self._robot.advance()
