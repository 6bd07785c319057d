"""Whether a robot follows its commands."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace


class Tracking:
    """Compares measured positions with the commands of the last moments: a robot lags its commands.

    A joint follows while it is between the lowest and the highest of these commands, or beside them by at most a
    tolerance.

    Args:
        space: names the joints.
        tolerance: in the unit of each joint (rad, m, or a fraction of a closure).
        lag_s: how old the commands may be that a robot has just carried out, in seconds.
    """

    def __init__(self, space: JointSpace, tolerance: float, lag_s: float) -> None:
        self._names, self._tolerance, self.lag_s = space.names, tolerance, lag_s
        self._commands: deque[tuple[float, NDArray[np.float64]]] = deque()  # time and positions [A], oldest first

    def restart(self, at_s: float, position: NDArray[np.floating]) -> None:
        """Forget all commands: the robot stands at `position` [A]."""
        self._commands.clear()
        self.commanded(at_s, np.asarray(position, np.float64))

    def commanded(self, at_s: float, position: NDArray[np.float64]) -> None:
        """Add a command [A]."""
        self._commands.append((at_s, position))
        # The first one was in force until the second one came.
        while len(self._commands) > 1 and self._commands[1][0] < at_s - self.lag_s:
            self._commands.popleft()

    def deviation(self, at_s: float, measured: NDArray[np.floating]) -> NDArray[np.float64]:
        """Distances [A] of measured positions [A] from the range of recent commands, in joint units; 0 without any."""
        if not self._commands:
            return np.zeros(len(measured))
        times = [time for time, _ in self._commands]
        in_force = max(0, sum(time <= at_s - self.lag_s for time in times) - 1)
        recent = np.stack([position for _, position in self._commands])[in_force:]
        return np.maximum(recent.min(axis=0) - measured, measured - recent.max(axis=0)).clip(min=0)

    def fault(self, at_s: float, measured: NDArray[np.floating]) -> str:
        """Why the robot does not follow, in words; empty while it does."""
        deviation = self.deviation(at_s, measured)
        worst = int(deviation.argmax()) if len(deviation) else 0
        if not len(deviation) or deviation[worst] <= self._tolerance:
            return ""
        return (
            f"The robot does not follow its commands: `{self._names[worst]}` is {deviation[worst]:.3f} beside those of"
            f" the last {self.lag_s:g} s, and {self._tolerance:g} is allowed (`tracking_tolerance`). It may be"
            " blocked, switched off, or moved by someone else."
        )
