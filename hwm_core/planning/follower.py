"""Turns plans into one command per camera frame; frames are matched by stamp."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace

_MOST_TICKS = 64  # commands in a frame of the model


class PlanFollower:
    """Follows the newest plan from the first frame of the plan, and holds the last action after its end.

    A plan has one action per frame of the model, where its motion is at the next frame. The camera may be faster: then
    the commands between two actions lead straight from one to the other.

    Commands keep the limits of speed, acceleration and joints, also when a new plan replaces the old plan, and when a
    plan is removed: then the robot brakes. The acceleration counts from frame to frame of the model. A robot that
    starts outside its limits is moved back. A command is one step from the command before, however much time has
    passed: after lost frames, the robot catches up with its plan within the limits.

    Args:
        space: limits of the joints, at the model's rate.
        replan_frames: frames of the model after which a plan should be replaced.
        start: [A] where the robot is, at rest, in joint units.
    """

    def __init__(
        self,
        space: JointSpace,
        replan_frames: int,
        start: NDArray[np.floating] | Tensor,
    ) -> None:
        self._model_space, self._replan_frames = space, replan_frames
        self._space, self._ticks = space, 1  # limits from command to command; commands in a frame of the model
        self._plan: tuple[int, Tensor] | None = None  # stamp and actions [F, A]
        self._has_commanded = False
        self._held_ns: int | None = None  # stamp of the newest `hold`
        self._position = torch.as_tensor(start, dtype=torch.float64, device=space.lower.device)
        self._last_step = torch.zeros_like(self._position)  # [A] the change that led to it

    def continued(self, replan_frames: int) -> "PlanFollower":
        """A follower without a plan that goes on from this motion, with the same commands in a frame of the model."""
        follower = PlanFollower(self._model_space, replan_frames, self._position)
        follower._space, follower._ticks = self._space, self._ticks
        follower._last_step, follower._has_commanded = self._last_step, self._has_commanded
        return follower

    @property
    def last_command(self) -> NDArray[np.float64]:
        """[A] the newest command, at first the start."""
        return self._position.cpu().numpy()

    @property
    def velocity(self) -> NDArray[np.float64]:
        """[A] of the motion that led to the newest command, in joint units per second."""
        return (self._last_step * self._space.frame_rate_hz).cpu().numpy()

    @property
    def period_s(self) -> float:
        """Time from command to command."""
        return 1 / self._space.frame_rate_hz

    def set_camera_period(self, seconds: float) -> None:
        """Choose how many commands lead from one action to the next.

        Args:
            seconds: between two camera frames; 0: unknown, so nothing changes. A whole number of commands is chosen
                for each frame of the model, at least 1. It stays as it is while the robot moves: the way in which a
                joint stops depends on it.
        """
        rate_hz = self._model_space.frame_rate_hz
        ticks = max(1, round(min(_MOST_TICKS, 1 / (seconds * rate_hz)))) if seconds > 0 else self._ticks
        if ticks == self._ticks or (self._has_commanded and (self.follows or bool(self._last_step.any()))):
            return
        self._last_step = self._last_step * (self._ticks / ticks)
        space = self._model_space
        # A motion that changes its speed at the frames of the model changes it `ticks` times as fast at these commands.
        rate, acceleration = ticks * space.frame_rate_hz, ticks * space.max_acceleration
        self._space, self._ticks = replace(space, frame_rate_hz=rate, max_acceleration=acceleration), ticks

    def adopt(self, stamp_ns: int, actions: NDArray[np.float32]) -> None:
        """Follow actions [F, A]; row 0 belongs to the frame at `stamp_ns`. Plans from before a hold are ignored."""
        if self._held_ns is None or stamp_ns >= self._held_ns:
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
        self._position, self._last_step = self._next(stamp_ns, self._position, self._last_step)
        self._has_commanded = True
        return self.last_command

    def forecast(self, stamp_ns: int, frames: int, commanded: int = 0) -> NDArray[np.float32]:
        """The actions [F, A] of the next frames of the model without a new plan; row 0 belongs to `stamp_ns`.

        Args:
            stamp_ns: of a frame of the model.
            frames: F.
            commanded: how many commands from that frame on were given already.
        """
        position, last_step, rows = self._position, self._last_step, []
        for tick in range(frames * self._ticks):
            if tick >= commanded:
                at_ns = stamp_ns + round(1e9 * tick * self.period_s)
                position, last_step = self._next(at_ns, position, last_step)
            rows.append(position)
        return torch.stack(rows[self._ticks - 1 :: self._ticks]).cpu().numpy().astype(np.float32)

    def hold_from(self, stamp_ns: int) -> None:
        """Remove the plan, because its past is outdated, and ignore plans from before the frame at `stamp_ns`."""
        self._plan, self._held_ns = None, stamp_ns

    def rest(self) -> None:
        """Take into account that the robot has stopped at its last command, because commands have paused."""
        self._last_step = torch.zeros_like(self._last_step)

    def _next(self, stamp_ns: int, position: Tensor, last_step: Tensor) -> tuple[Tensor, Tensor]:
        """The command [A] of the frame at `stamp_ns` after one at `position`, and the step [A] to it."""
        if self._plan is None:
            step = self._space.brake(last_step)
            return position + step, step
        start_ns, actions = self._plan
        tick = max(0, _whole(stamp_ns - start_ns, self._space.frame_rate_hz))
        target = self._planned(actions, tick, position)
        before = self._planned(actions, tick - 1, position) if tick >= self._ticks else position
        after = self._space.step(target, before, position, last_step)
        return after, after - position

    def _planned(self, actions: Tensor, tick: int, position: Tensor) -> Tensor:
        """Where the plan [F, A] wants the joints, now at `position`, after command number `tick`; [A]."""
        row, part = divmod(tick, self._ticks)
        if row >= len(actions):
            return actions[-1]
        if row:
            begin, share = actions[row - 1], 1 - (part + 1) / self._ticks
        else:  # straight from where the robot is
            begin, share = position, 1 - 1 / (self._ticks - part)
        return actions[row] + (begin - actions[row]) * share


def _whole(nanoseconds: int, rate_hz: float) -> int:
    """The number of periods in a time, rounded."""
    return round(nanoseconds * 1e-9 * rate_hz)
