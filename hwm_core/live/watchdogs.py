"""Ends a goal when something that a closed loop needs has stopped. Times are those of a steady clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from hwm_core.live.stream_config import StreamConfig

FaultKind = Literal[
    "STALE_JOINTS", "STALE_CAMERA", "NOT_FOLLOWED", "GOAL_TIME", "WORLD_MODEL_GONE", "CLIENT_GONE", "TIMEOUT"
]
_CLIENT_S = 1.0  # without a client; the discovery of processes that were killed is slower anyway
_PAUSE_S = 0.2  # between two looks; a longer time was a pause of this process, which looks far more often
_REPORTED = 0.5  # of `camera_timeout_s` that the world model must have reported, before the camera is to blame


class WatchdogConfig(StreamConfig):
    """Time limits of a goal, beside those of its commands."""

    model_timeout_s: float = Field(
        default=1.5,
        gt=0.0,
        le=60.0,
        description="longest time without a status of the world model; then the goal is aborted",
    )
    frame_timeout_s: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="longest time to wait for inputs, for a complete context, and in lockstep for a frame",
    )
    max_goal_s: float = Field(default=600.0, gt=0.0, le=1e6, description="longest time of a goal; then it is aborted")


@dataclass(frozen=True)
class Fault:
    """Why a goal must end."""

    kind: FaultKind  # name of an ErrorCode
    reason: str  # what was expected, what happened, and what to check


class Watchdogs:
    """Receives what has arrived, and finds what has not. An input whose stamp stands still has not arrived.

    Args:
        settings: the limits.
        lockstep: the robot waits for commands, so frames and joint states may pause.
        clock: steady time in seconds.
    """

    def __init__(self, settings: WatchdogConfig, lockstep: bool, clock: Callable[[], float]) -> None:
        self.settings, self._lockstep, self._clock = settings, lockstep, clock
        self._newest: dict[str, float] = {"joints": -1, "camera": -1}  # stamps; arrival times where these are unknown
        self.begin()

    def begin(self) -> None:
        """A goal was accepted."""
        now = self._clock()
        self._begun_s = now
        self.run()

    def run(self) -> None:
        """The goal has all that it needs and begins to move: from now on all inputs must arrive."""
        now = self._clock()
        self._looked_s, self._has_paused = now, False  # the last call of `fault`
        self._at_s = dict.fromkeys(("joints", "camera", "status", "ready", "client"), now)
        self.rejected = ""  # why the newest joint state cannot be used

    def arrived(self, what: Literal["joints", "camera"], stamp_ns: int, at_s: float | None = None) -> bool:
        """A usable joint state or a camera frame. False when it is the one before again.

        Args:
            what: which of both.
            stamp_ns: of its oldest value; 0: unknown, then `at_s` tells whether it is new.
            at_s: when its oldest value arrived; None: now.
        """
        at_s = self._clock() if at_s is None else at_s
        mark = stamp_ns or at_s
        is_new = mark != self._newest[what]
        if is_new:
            self._at_s[what], self._newest[what] = at_s, mark
            if what == "joints":
                self.rejected = ""
        return is_new

    def status(self, ready: bool) -> None:
        """A status of the world model; `ready`: its context is complete."""
        self._at_s["status"] = self._clock()
        if ready:
            self._at_s["ready"] = self._clock()

    def client(self) -> None:
        """The client of the goal is there."""
        self._at_s["client"] = self._clock()

    def age_s(self, what: Literal["joints", "camera", "status", "ready", "client"]) -> float:
        """Seconds since something arrived."""
        return self._clock() - self._at_s[what]

    @property
    def elapsed_s(self) -> float:
        """Seconds since the goal was accepted."""
        return self._clock() - self._begun_s

    def time_fault(self) -> Fault | None:
        """What must end a goal in any stage."""
        limit_s = self.settings.max_goal_s
        if self.elapsed_s > limit_s:
            return Fault(
                "GOAL_TIME", f"The goal has run for {self.elapsed_s:.1f} s, and `max_goal_s` is {limit_s:g} s."
            )
        if self.age_s("client") > _CLIENT_S:
            return Fault(
                "CLIENT_GONE", "The action client that sent the goal has disappeared, and no other one is left."
            )
        return None

    def model_fault(self) -> Fault | None:
        """What must end a goal whose image is being sent to the world model, or that moves the robot."""
        if self._lockstep or self.age_s("status") <= self.settings.model_timeout_s:
            return None
        limit_s = self.settings.model_timeout_s
        reason = f"The world model has reported nothing for {self.age_s('status'):.2f} s: it has ended or hangs."
        return Fault("WORLD_MODEL_GONE", f"{reason} `model_timeout_s` is {limit_s:g} s. See the log of its node.")

    def fault(self, planning: bool) -> Fault | None:
        """What must end a goal that moves the robot; to be called many times per second.

        After a pause of this process, all inputs seem to have stopped, because nothing was read. So the first call
        after a pause blames no input; the next one does, also after another pause.

        Args:
            planning: a search is running; in lockstep, nothing else happens then.
        """
        settings, now = self.settings, self._clock()
        self._has_paused = now - self._looked_s > _PAUSE_S and not self._has_paused
        self._looked_s = now
        if (fault := self.time_fault()) is not None:
            return fault
        if self._has_paused:
            return None
        if self._lockstep:
            limit_s = settings.frame_timeout_s
            if not planning and self.age_s("camera") > limit_s:
                hint = "A robot in lockstep needs `publish_commands`."
                return Fault("TIMEOUT", f"No new frame for {limit_s:g} s. {hint}")
            return None
        if self.age_s("joints") > settings.joints_timeout_s:
            limit = f"`joints_timeout_s` is {settings.joints_timeout_s:g} s"
            cause = self.rejected or "Check the driver of the robot, and that its stamps advance."
            return Fault("STALE_JOINTS", f"No new joint state for {self.age_s('joints'):.2f} s, and {limit}. {cause}")
        if (fault := self.model_fault()) is not None:
            return fault
        # Only reports of the world model tell of the camera. When they stop too, it is the world model that is gone.
        reported_s = self._at_s["status"] - self._at_s["camera"]
        if self.age_s("camera") > settings.camera_timeout_s < reported_s / _REPORTED:
            limit = f"`camera_timeout_s` is {settings.camera_timeout_s:g} s"
            hint = "Check the driver of the camera, that its stamps advance, and the load of the machine."
            return Fault("STALE_CAMERA", f"No new camera frame for {self.age_s('camera'):.2f} s, and {limit}. {hint}")
        if self.age_s("ready") > settings.frame_timeout_s:
            limit = f"`frame_timeout_s` is {settings.frame_timeout_s:g} s"
            hint = "`error_msg` in ~/context_status of the world model gives the reason."
            return Fault(
                "TIMEOUT", f"The context was not complete for {self.age_s('ready'):.1f} s, and {limit}. {hint}"
            )
        return None
