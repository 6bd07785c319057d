"""Turns plans into one command per camera frame. Frames are matched by stamp, so planning may take longer than one."""

from dataclasses import replace

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
    measured: NDArray[np.float32], last: NDArray[np.float64] | None, space: JointSpace
) -> NDArray[np.floating]:
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

    A plan has one action per frame of the model, where its motion is at the next frame. The camera may be faster: then
    the commands between two actions lead straight from one to the other.

    Commands keep the limits of speed, acceleration and joints, also when a new plan replaces the old plan, and when a
    plan is removed: then the robot brakes. The acceleration counts from frame to frame of the model. A robot that
    starts outside its limits is moved back.

    Args:
        space: limits of the joints, at the model's rate.
        replan_frames: frames of the model after which a plan should be replaced.
        start: [A] the first command, in joint units.
    """

    def __init__(self, space: JointSpace, replan_frames: int, start: NDArray[np.floating]) -> None:
        self._model_space, self._replan_frames = space, replan_frames
        self._space, self._ticks = space, 1  # limits from command to command; commands in a frame of the model
        self._plan: tuple[int, Tensor] | None = None  # stamp and actions [F, A]
        self._newest_ns: int | None = None  # stamp of the newest command
        self._held_ns: int | None = None  # stamp of the newest `hold`
        self._position = torch.as_tensor(start, dtype=torch.float64, device=space.lower.device)
        self._last_step = torch.zeros_like(self._position)  # [A] the change that led to it

    @property
    def last_command(self) -> NDArray[np.float64]:
        """[A] the newest command, at first the start."""
        return self._position.cpu().numpy()

    def set_camera_period(self, seconds: float) -> None:
        """Choose how many commands lead from one action to the next.

        Args:
            seconds: between two camera frames; 0: unknown, so nothing changes. A whole number of commands is chosen
                for each frame of the model, at least 1.
        """
        ticks = max(1, round(1 / (seconds * self._model_space.frame_rate_hz))) if seconds > 0 else self._ticks
        if ticks == self._ticks:
            return
        self._last_step = self._last_step * (self._ticks / ticks)
        space = self._model_space
        # A motion that changes its speed at the frames of the model changes it `ticks` times as fast at these commands.
        rate, acceleration = ticks * space.frame_rate_hz, ticks * space.max_acceleration
        self._space, self._ticks = replace(space, frame_rate_hz=rate, max_acceleration=acceleration), ticks

    def adopt(self, stamp_ns: int, actions: NDArray[np.float32]) -> None:
        """Follow actions [F, A]; row 0 belongs to the frame at `stamp_ns`. Plans made before a `hold` are ignored."""
        if self._held_ns is None or stamp_ns > self._held_ns:
            self._plan = (stamp_ns, torch.as_tensor(actions).to(self._position))

    @property
    def follows(self) -> bool:
        """Whether there is a plan."""
        return self._plan is not None

    def due(self, stamp_ns: int) -> bool:
        """Whether a new plan is due at the frame at `stamp_ns`."""
        if self._plan is None:
            return True
        return _whole(stamp_ns - self._plan[0], self._model_space.frame_rate_hz) >= self._replan_frames

    def command(self, stamp_ns: int) -> NDArray[np.float64]:
        """The command [A] for the frame at `stamp_ns`; without a plan, the robot brakes and stays."""
        rate = self._space.frame_rate_hz
        missed = 0 if self._newest_ns is None else max(0, _whole(stamp_ns - self._newest_ns, rate) - 1)
        for behind in range(min(missed, _MAX_FRAMES * self._ticks - 1), -1, -1):
            after = self._after(stamp_ns, behind)
            self._last_step, self._position = after - self._position, after
        self._newest_ns = stamp_ns
        return self.last_command

    def hold(self, stamp_ns: int) -> NDArray[np.float64]:
        """Remove the plan, because its past is outdated. Returns the last command [A] for the frame at `stamp_ns`."""
        self._plan, self._held_ns = None, stamp_ns
        return self.command(stamp_ns)

    def _after(self, stamp_ns: int, behind: int) -> Tensor:
        """The command [A] that follows the newest one, `behind` commands before that of the frame at `stamp_ns`."""
        if self._plan is None:
            return self._position + self._space.brake(self._last_step)
        start_ns, actions = self._plan
        tick = max(0, _whole(stamp_ns - start_ns, self._space.frame_rate_hz) - behind)
        target = self._planned(actions, tick)
        before = self._planned(actions, tick - 1) if tick >= self._ticks else self._position
        return self._space.step(target, before, self._position, self._last_step)

    def _planned(self, actions: Tensor, tick: int) -> Tensor:
        """Where the plan [F, A] wants the joints after command number `tick`, [A]."""
        row, part = divmod(tick, self._ticks)
        if row >= len(actions):
            return actions[-1]
        if row:
            begin, share = actions[row - 1], 1 - (part + 1) / self._ticks
        else:  # straight from where the robot is
            begin, share = self._position, 1 - 1 / (self._ticks - part)
        return actions[row] + (begin - actions[row]) * share


def _whole(nanoseconds: int, rate_hz: float) -> int:
    """The number of periods in a time, rounded."""
    return round(nanoseconds * 1e-9 * rate_hz)
