"""All commands of a planner, over goals, pauses and restarts: each is one step from the one before."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadActions
from hwm_core.live.command import Command
from hwm_core.live.command_history import CommandHistory
from hwm_core.live.frame_rhythm import FrameRhythm
from hwm_core.live.stream_config import StreamConfig
from hwm_core.live.tracking import Tracking
from hwm_core.planning.follower import PlanFollower
from hwm_core.planning.joint_space import JointSpace

_LATE = 1.5  # periods after a frame when the next command is sent although its frame has not come
_SERVED = 0.75  # periods after a command; a frame that comes earlier has no command of its own
_APART = 0.5  # periods after a command; frames that arrive earlier had to wait, and the timer serves them
_FRESH = 0.75  # of `command_timeout_s`, after which the next command is sent although its frame has not come
_STOPPED = 3.0  # periods without a command, after which the robot stands at its last command


@dataclass(frozen=True)
class _Measured:
    at_s: float  # of its arrival
    stamp_ns: int
    positions: NDArray[np.floating]  # [A]


class CommandStream:
    """Decides when a command is sent, and from where it starts. It is silent, follows a goal, or stops the robot.

    While a goal runs, each camera frame gives a command (`frame`). A frame that is late or lost does not stop the
    motion: a timer calls `overdue` often, which gives the command in its place, for at most `camera_timeout_s`; then
    the robot slows down. When a goal ends, `overdue` slows the robot down along its motion, repeats the last command
    for `hold_s`, and ends.

    The motion goes on from the last command only while that is fresh, at most `command_timeout_s` old, and followed by
    the robot. Otherwise it waits until the last command is not fresh any more, for then the robot has stopped by
    itself, and starts at the measured position, at rest.

    In shadow mode no command reaches the robot: every plan starts at the measured position.

    Args:
        space: limits of the joints, at the model's rate.
        settings: times and tolerances.
        clock: steady time in seconds.
        sent_at_s: when the planner sent its newest command before this stream; None: never.
        lockstep: the robot waits for a command of every frame, so none is too early, and no timer calls `overdue`.
    """

    def __init__(
        self,
        space: JointSpace,
        settings: StreamConfig,
        clock: Callable[[], float],
        sent_at_s: float | None = None,
        lockstep: bool = False,
    ) -> None:
        self.space, self.settings, self._clock, self._lockstep = space, settings, clock, lockstep
        self.shadow = True
        self.sent_at_s = sent_at_s  # of the newest command that was not a shadow
        self._state: Literal["silent", "following", "stopping"] = "silent"
        self._follower: PlanFollower | None = None  # None: the next command starts at the measured position
        self._at_s, self._stamp_ns, self._by_frame = -inf, 0, False  # of the newest command, shadow or not
        self._begun = False  # whether the goal has had a command
        self._replan_frames, self._camera_period_s = 1, 0.0
        self._hold_until_s: float | None = None
        self._measured: _Measured | None = None
        self._fault = ""
        self._tracking = Tracking(space, settings.tracking_tolerance, settings.tracking_lag_s)
        self._history = CommandHistory()
        self._rhythm = FrameRhythm()

    # ---------------------------------------------------------------- what is known

    @property
    def silent(self) -> bool:
        """Whether no command will come until a goal begins."""
        return self._state == "silent"

    @property
    def follows(self) -> bool:
        """Whether there is a plan to follow."""
        return self._follower is not None and self._follower.follows

    @property
    def at_rest(self) -> bool:
        """Whether the newest command does not move the robot."""
        return self.silent or self._follower is None or not self._follower.velocity.any()

    @property
    def is_fresh(self) -> bool:
        """Whether the robot still carries out the newest command."""
        return self._within(self.sent_at_s, self.settings.command_timeout_s)

    def measured(self, at_s: float, stamp_ns: int, positions: NDArray[np.floating]) -> None:
        """Add a measured position [A] of the robot that arrived at `at_s`; a stamp of 0 is unknown."""
        self._measured = _Measured(at_s, stamp_ns, np.asarray(positions))
        if self._fault and self._follower is None:  # of a motion that cannot start again
            return
        commanded = self.is_fresh and self._follower is not None and not self.shadow
        self._fault = self._tracking.fault(at_s, positions) if commanded else ""

    @property
    def fault(self) -> str:
        """Why the robot did not follow its commands at the newest joint state, in words; empty: it did, or got none."""
        return self._fault

    # ---------------------------------------------------------------- goals

    def begin(self, replan_frames: int) -> None:
        """A goal begins; from now on commands are sent.

        Args:
            replan_frames: frames of the model after which a plan should be replaced.
        """
        last, self._replan_frames = self._follower, replan_frames
        if last is not None and not self.shadow and self.is_fresh and not self._fault:
            if self._has_stopped():
                last.rest()
            self._follower = last.continued(replan_frames)
            self._follower.set_camera_period(self._camera_period_s)
        else:
            self._follower = None
        if self._follower is None or not self._follower.velocity.any():
            self._stamp_ns = 0  # otherwise the motion goes on, also where the goal ends before its first command
        self._state, self._begun, self._hold_until_s, self._fault = "following", False, None, ""
        self._rhythm.restart()

    def stop(self) -> None:
        """A goal ends: slow down, hold, and fall silent; `overdue` gives these commands."""
        if self._state != "following":
            return
        if self._follower is None or not self._stamp_ns or self.shadow or not self.is_fresh:
            self._state = "silent"
            return
        self._follower.hold_from(self._stamp_ns)
        self._state = "stopping"

    def cut(self) -> None:
        """Fall silent at once."""
        self._state = "silent"

    def set_shadow(self, shadow: bool) -> None:
        """Whether commands are shadows. A change takes effect at once; the motion starts again where the robot is."""
        if shadow != self.shadow:
            self.shadow, self._follower, self._stamp_ns, self._fault = shadow, None, 0, ""
            if self._state == "stopping":
                self._state = "silent"

    # ---------------------------------------------------------------- plans

    def set_camera_period(self, seconds: float) -> None:
        """Set the time between two camera frames; 0: unknown."""
        self._camera_period_s = seconds
        if self._follower is not None:
            self._follower.set_camera_period(seconds)

    def due(self, stamp_ns: int) -> bool:
        """Whether a new plan is due at the frame at `stamp_ns`, and could be followed."""
        return self.prepare(stamp_ns) and self._follower is not None and self._follower.due(stamp_ns)

    def forecast(self, stamp_ns: int, frames: int, before: int = 0) -> NDArray[np.float32] | None:
        """The actions [F, A] of the robot without a new plan, in manifest order and units; None: unknown.

        Args:
            stamp_ns: of a frame of the model.
            frames: F.
            before: how many of the frames of the model are before that frame; these have happened.
        """
        if (follower := self._follower) is None:
            return None
        self._history.on_clock(stamp_ns)
        if self.shadow and self._measured is not None:
            return np.tile(np.asarray(self._measured.positions, np.float32), (frames, 1))
        ahead = (self._stamp_ns - stamp_ns) * 1e-9 / follower.period_s if self._stamp_ns else -1.0
        coming = follower.forecast(stamp_ns, frames - before, max(0, round(ahead) + 1))
        frame_ns, slack_ns = 1e9 / self.space.frame_rate_hz, 0.25e9 * follower.period_s
        ends = [stamp_ns - k * frame_ns - slack_ns for k in reversed(range(before))]
        return np.stack([*map(self._history.before, ends), *coming])

    def stands(self, stamp_ns: int, frames: int) -> bool:
        """Whether the robot stands, and stays where it is for these frames of the model without a new plan."""
        if not self.at_rest or (actions := self.forecast(stamp_ns, frames)) is None:
            return False
        return bool((actions == actions[0]).all())

    def adopt(self, stamp_ns: int, actions: NDArray[np.float32]) -> None:
        """Follow a plan [F, A] that starts from the frame at `stamp_ns`. Raises BadActions if it is not finite."""
        if not np.isfinite(actions).all():
            raise BadActions("a plan", expected="finite values", got="NaN or infinity", remedy="See the world model.")
        if self._state != "following" or self._follower is None:
            return
        if self.shadow and self._measured is not None:
            self._follower = self._standing(self._measured)
        self._follower.adopt(stamp_ns, actions)

    def drop_plan(self, stamp_ns: int) -> None:
        """Slow down: the past of the plan is outdated, and so are all plans from before `stamp_ns`."""
        if self._follower is not None:
            self._follower.hold_from(stamp_ns)

    # ---------------------------------------------------------------- commands

    def prepare(self, stamp_ns: int) -> bool:
        """Whether the frame at `stamp_ns` can get a command; chooses where the motion starts, if that is open."""
        if self._state != "following":
            return False
        if self._follower is not None and (self.shadow or self.is_fresh):
            return True
        self._follower, measured = None, self._measured
        robot_has_stopped = self.shadow or not self.is_fresh
        if measured is None or not robot_has_stopped or not self._is_current(measured, stamp_ns):
            return False
        if self._stamp_ns and not self.shadow:  # the goal's commands had paused; a blocked robot must not start again
            self._fault = self._fault or self._tracking.fault(self._at_s, measured.positions)
        if self._fault:
            return False
        self._follower = self._standing(measured)
        self._follower.hold_from(stamp_ns)
        self._stamp_ns = 0
        self._history.restart(measured.positions)
        self._tracking.restart(self._clock(), measured.positions)
        if not self.shadow:
            self.sent_at_s = self._clock()  # from here on the motion is this stream's
        return True

    def frame(self, stamp_ns: int) -> Command | None:
        """The command of the camera frame at `stamp_ns`; None if it has one already, or cannot have one now."""
        self._rhythm.frame(self._clock(), stamp_ns)
        self._tracking.lag_s = self.settings.tracking_lag_s * self._rhythm.slowness
        if not self.prepare(stamp_ns) or self._follower is None:
            return None
        period_s = self._follower.period_s
        if self._begun and stamp_ns - self._stamp_ns < _SERVED * 1e9 * period_s:
            return None
        if not self._lockstep and self._clock() - self._at_s < _APART * period_s:
            self._by_frame = False  # the timer need not wait for a frame
            return None
        return self._send(stamp_ns, by_frame=True)

    def overdue(self) -> Command | None:
        """The command that is due although no frame has come; None if none is."""
        follower = self._follower
        if self._state == "silent" or follower is None or not self._stamp_ns:
            return None
        if not self.shadow and not self.is_fresh:
            if self._state == "stopping":
                self._state = "silent"
            return None
        now, period_s = self._clock(), follower.period_s
        patience = _LATE if self._by_frame and self._state == "following" else 1.0
        latest_s = max(period_s, _FRESH * self.settings.command_timeout_s)
        if now - self._at_s < min(patience * period_s * self._rhythm.slowness, latest_s):
            return None
        stamp_ns = self._stamp_ns + round(1e9 * period_s)
        if self._state == "stopping":
            if not follower.velocity.any():
                if self._hold_until_s is None:
                    self._hold_until_s = now + self.settings.hold_s
                if now >= self._hold_until_s:
                    self._state = "silent"
                    return None
        elif stamp_ns - self._rhythm.newest_ns > 1e9 * self.settings.camera_timeout_s and follower.follows:
            follower.hold_from(stamp_ns)
        return self._send(stamp_ns, by_frame=False)

    def _send(self, stamp_ns: int, by_frame: bool) -> Command:
        assert self._follower is not None
        if self._has_stopped():
            self._follower.rest()
        command = Command(stamp_ns, self._follower.command(stamp_ns), self._follower.period_s)
        self._at_s, self._stamp_ns, self._by_frame = self._clock(), stamp_ns, by_frame
        self._begun = True
        self._history.add(stamp_ns, command.positions)
        if not self.shadow:
            self.sent_at_s = self._at_s
            self._tracking.commanded(self._at_s, command.positions)
        return command

    def _standing(self, measured: _Measured) -> PlanFollower:
        """A follower that starts where the robot is, at rest."""
        follower = PlanFollower(self.space, self._replan_frames, measured.positions)
        follower.set_camera_period(self._camera_period_s)
        return follower

    def _has_stopped(self) -> bool:
        """Whether commands have paused for so long that the robot stands at the last one."""
        period_s = 0.0 if self._follower is None else self._follower.period_s
        return self._clock() - self._at_s > _STOPPED * period_s * self._rhythm.slowness

    def _is_current(self, measured: _Measured, stamp_ns: int) -> bool:
        """Whether a measured position is where the robot is at the frame at `stamp_ns`."""
        limit_s = self.settings.joints_timeout_s
        agrees = not measured.stamp_ns or abs(stamp_ns - measured.stamp_ns) <= 1e9 * limit_s
        return agrees and self._within(measured.at_s, limit_s)

    def _within(self, at_s: float | None, limit_s: float) -> bool:
        return at_s is not None and 0 <= self._clock() - at_s <= limit_s
