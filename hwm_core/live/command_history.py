"""The newest commands of a stream, by the stamps of their frames."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

_KEPT = 32
_SET_BACK_S = 0.5  # by which the newest command may be ahead of a frame; more, and the clock was set back


class CommandHistory:
    """Remembers 32 commands. After a clock that was set back, only the newest one is known, as the oldest command."""

    def __init__(self) -> None:
        self._commands: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=_KEPT)  # stamps and positions [A]

    def restart(self, position: NDArray[np.floating]) -> None:
        """Forget all commands: the robot stands at `position` [A]."""
        self._commands.clear()
        self._commands.append((0, np.asarray(position, np.float64)))

    def add(self, stamp_ns: int, position: NDArray[np.float64]) -> None:
        """Add the command [A] of the frame at `stamp_ns`."""
        self.on_clock(stamp_ns)
        self._commands.append((stamp_ns, position))

    def on_clock(self, stamp_ns: int) -> None:
        """The camera's clock shows `stamp_ns`: far before the newest command, the stamps belong to another clock."""
        if self._commands and self._commands[-1][0] - stamp_ns > 1e9 * _SET_BACK_S:
            self.restart(self._commands[-1][1])

    def before(self, stamp_ns: float) -> NDArray[np.float32]:
        """The newest command [A] before a time; the oldest known one if none is. There must be a command."""
        known = [position for at_ns, position in self._commands if at_ns < stamp_ns]
        return np.asarray(known[-1] if known else self._commands[0][1], np.float32)
