"""Turns plans into one command per frame. Frames are matched by stamp, so planning may take longer than a frame."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace

# A robot that follows its commands lags them by at most this time at full speed. A larger distance has another cause.
_MAX_LAG_S = 0.25
# A camera may lose one or two frames. After a longer pause the robot stands still, and its next command must not jump.
_MAX_FRAMES = 3


def initial_command(
    measured: NDArray[np.float32], last: NDArray[np.float32] | None, space: JointSpace
) -> NDArray[np.float32]:
    """The command [A] to start from: the last command if the robot still follows it, otherwise its measured position.

    Args:
        measured: [A] position of the robot.
        last: [A] the last command, None without one.
        space: limits of the joints.
    """
    reach = space.max_step.cpu().numpy() * space.frame_rate_hz * _MAX_LAG_S
    return measured if last is None or (np.abs(last - measured) > reach).any() else last


class PlanFollower:
    """Follows the newest plan from the first frame of the plan, and holds the last action after its end.

    Commands keep the limits of speed, acceleration and joints, also when a new plan replaces the old plan, and when a
    plan is removed: then the robot brakes. A robot that starts outside its limits is moved back.

    Args:
        space: limits of the joints.
        replan_frames: frames after which a plan should be replaced.
        start: [A] the first command, in joint units.
    """

    def __init__(self, space: JointSpace, replan_frames: int, start: NDArray[np.float32]) -> None:
        self._space, self._replan_frames = space, replan_frames
        self._plan: tuple[int, NDArray[np.float32]] | None = None  # stamp and actions [F, A]
        self._newest_ns: int | None = None  # stamp of the newest command
        self._held_ns: int | None = None  # stamp of the newest `hold`
        self.last_command = start  # [A]
        self._last_step = torch.zeros_like(space.lower)  # [A] the change that led to it

    def adopt(self, stamp_ns: int, actions: NDArray[np.float32]) -> None:
        """Follow actions [F, A]; row 0 belongs to the frame at `stamp_ns`. Plans made before a `hold` are ignored."""
        if self._held_ns is None or stamp_ns > self._held_ns:
            self._plan = (stamp_ns, actions)

    def elapsed_frames(self, stamp_ns: int) -> int | None:
        """Frames from the plan's first frame to the frame at `stamp_ns`; None without a plan."""
        return self._frames_between(self._plan[0], stamp_ns) if self._plan else None

    def due(self, stamp_ns: int) -> bool:
        """Whether a new plan is due at the frame at `stamp_ns`."""
        elapsed = self.elapsed_frames(stamp_ns)
        return elapsed is None or elapsed >= self._replan_frames

    def command(self, stamp_ns: int) -> NDArray[np.float32]:
        """The command [A] for the frame at `stamp_ns`; without a plan, the robot brakes and stays."""
        frames = 1 if self._newest_ns is None else self._frames_between(self._newest_ns, stamp_ns)
        position = torch.as_tensor(self.last_command).to(self._space.lower)
        for _ in range(min(max(1, frames), _MAX_FRAMES)):
            after = self._after(position, stamp_ns)
            self._last_step, position = after - position, after
        self._newest_ns, self.last_command = stamp_ns, position.cpu().numpy()
        return self.last_command

    def _after(self, position: Tensor, stamp_ns: int) -> Tensor:
        """The position [A] one frame after `position`."""
        if self._plan is None:
            return position + self._space.brake(self._last_step)
        start_ns, actions = self._plan
        row = min(self._frames_between(start_ns, stamp_ns), len(actions) - 1)
        target = torch.as_tensor(actions[row]).to(position)
        before = torch.as_tensor(actions[row - 1]).to(position) if row else position
        return self._space.step(target, before, position, self._last_step)

    def hold(self, stamp_ns: int) -> NDArray[np.float32]:
        """Remove the plan, because its past is outdated. Returns the last command [A] for the frame at `stamp_ns`."""
        self._plan, self._held_ns = None, stamp_ns
        return self.command(stamp_ns)

    def _frames_between(self, earlier_ns: int, later_ns: int) -> int:
        return max(0, round((later_ns - earlier_ns) * 1e-9 * self._space.frame_rate_hz))
