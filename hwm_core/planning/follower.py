"""From plans to one command per frame, by stamp: planning may take longer than a frame."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace

# A robot trails its command by no more than this; further off, it was moved by something else.
_TRAILING_S = 0.25
# A camera loses a frame or two; after a longer pause the robot has come to rest, and its next command is no leap.
_MOST_FRAMES = 3


def command_in_force(
    measured: NDArray[np.float32], last: NDArray[np.float32] | None, space: JointSpace
) -> NDArray[np.float32]:
    """Where to start commanding [A]: at our last command while the robot still follows it, else where the robot is."""
    reach = space.max_step.cpu().numpy() * space.frame_rate_hz * _TRAILING_S
    return measured if last is None or (np.abs(last - measured) > reach).any() else last


class PlanFollower:
    """Follows the newest plan from the frame it was made for, holds its last action beyond its end.

    No command is further from the one before than the speed limit allows: between the frame a plan was made for and its
    arrival the robot has gone on with the old one. None leaves the joint limits; a robot that begins outside of them is
    led back at that speed.

    Args:
        space: limits of the joints.
        replan_frames: frames after which a plan is due to be replaced.
        start: [A] the command in force, in joint units.
    """

    def __init__(self, space: JointSpace, replan_frames: int, start: NDArray[np.float32]) -> None:
        self._lower, self._upper = space.lower.cpu().numpy(), space.upper.cpu().numpy()
        self._max_step = space.max_step.cpu().numpy()
        self._frame_rate_hz, self._replan_frames = space.frame_rate_hz, replan_frames
        self._plan: tuple[int, NDArray[np.float32]] | None = None
        self._newest_ns: int | None = None
        self._held_ns: int | None = None
        self.newest = start  # [A] the command in force

    def adopt(self, stamp_ns: int, actions: NDArray[np.float32]) -> None:
        """Follow actions [F, A]; row 0 is the command of the frame at `stamp_ns`. Not those made before a `hold`."""
        if self._held_ns is None or stamp_ns > self._held_ns:
            self._plan = (stamp_ns, actions)

    def elapsed_frames(self, stamp_ns: int) -> int | None:
        """Frames from the one the plan was made for to the one at `stamp_ns`; None without a plan."""
        return self._frames_between(self._plan[0], stamp_ns) if self._plan else None

    def due(self, stamp_ns: int) -> bool:
        """Whether a new plan is due at the frame at `stamp_ns`."""
        elapsed = self.elapsed_frames(stamp_ns)
        return elapsed is None or elapsed >= self._replan_frames

    def command(self, stamp_ns: int) -> NDArray[np.float32]:
        """The command [A] of the frame at `stamp_ns`; without a plan, the command in force."""
        if self._plan is not None:
            start_ns, actions = self._plan
            wanted = actions[min(self._frames_between(start_ns, stamp_ns), len(actions) - 1)]
            frames = 1 if self._newest_ns is None else self._frames_between(self._newest_ns, stamp_ns)
            reach = min(max(1, frames), _MOST_FRAMES) * self._max_step
            self.newest = np.clip(np.clip(wanted, self._lower, self._upper), self.newest - reach, self.newest + reach)
        self._newest_ns = stamp_ns
        return self.newest

    def hold(self, stamp_ns: int) -> NDArray[np.float32]:
        """The command in force [A] for the frame at `stamp_ns`; the plan is forgotten: it was of another past."""
        self._plan, self._held_ns = None, stamp_ns
        return self.command(stamp_ns)

    def _frames_between(self, earlier_ns: int, later_ns: int) -> int:
        return max(0, round((later_ns - earlier_ns) * 1e-9 * self._frame_rate_hz))
