"""The course of one goal: when to plan, from where a plan may act, and how the goal ends."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ENDED", "REACHED", "COMPLETED"]
_PASSING = ("BUSY", "TIMEOUT", "NO_CONTEXT", "CANCELED")  # errors of a search that may succeed a moment later
_REMEMBERED = 5  # plans whose latency is expected of the next one
_MOST = 0.75  # of the horizon that may be committed
_JUMP_S = 0.5  # by which the camera's clock may step back: single late frames are no jump

NO_OBSERVED_COST = (
    "cost_threshold: expected an objective that compares images with the goal, got one without such a term: what is"
    " observed has no cost, so the goal could never be reached. Give the objective of the world model an image term, or"
    " send num_frames without a cost_threshold."
)


@dataclass(frozen=True)
class Ending:
    """How a goal ended; `reason` is a sentence for a person, empty after a success."""

    outcome: Outcome
    code: str = "NONE"  # name of an ErrorCode
    reason: str = ""


@dataclass(frozen=True)
class MadePlan:
    """What a search found. Costs have no unit; lower is better."""

    stamp_ns: int  # of the frame that it starts from
    steps: int  # F, frames of the model
    cost: float  # that the plan predicts for its end
    cost_of_holding: float  # of holding still instead
    observed_cost: float  # the highest of the newest observed frames
    holds: bool  # no motion is better than holding still


class GoalProgress:
    """Counts frames and plans of one goal. It ends once; what comes later has no effect.

    A goal with a cost threshold is reached when the cost of the *observed* frames stayed below it; what a plan predicts
    does not count. A goal without a threshold is completed after its frames, and never reached.

    Args:
        num_frames: frames that get a command, counted from the first plan; 0: no limit.
        cost_threshold: the observed cost must stay below it; 0 for a goal by duration.
        frame_rate_hz: of the model, in Hz.
        horizon: frames of a plan.
        deadline_s: of a search, in seconds; 0: none, in lockstep.
        clock: steady time in seconds.
    """

    def __init__(
        self,
        num_frames: int,
        cost_threshold: float,
        frame_rate_hz: float,
        horizon: int,
        deadline_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._num_frames, self._threshold, self._clock = num_frames, cost_threshold, clock
        self._rate_hz, self._horizon, self._deadline_s = frame_rate_hz, horizon, deadline_s
        self.ending: Ending | None = None
        self.planning = False  # a search is running
        self.newest_ns = 0  # stamp of the newest camera frame
        self.frames_done = self.plans_late = 0
        self.plan_seconds: list[float] = []
        self.plan: MadePlan | None = None  # the newest
        self._asked_ns = self._begin_ns = 0  # newest frame when the search was asked for; where its plan may act
        self._asked_s = self._standing_s = 0.0  # when it was asked for; its time while the robot stands
        self._failed_ns = 0  # newest frame when the first search since the newest plan failed
        self._latencies: deque[int] = deque(maxlen=_REMEMBERED)  # frames of the model from asking to the plan

    @property
    def over(self) -> bool:
        """Whether the goal has ended."""
        return self.ending is not None

    def end(self, code: str, reason: str, outcome: Outcome = "ENDED") -> None:
        """End the goal; only the first call has an effect."""
        self.ending = self.ending or Ending(outcome, code, reason)

    def is_new(self, stamp_ns: int) -> bool:
        """Register a camera frame. False when this frame, or a later one, was registered before.

        A clock that has jumped back ends the goal: its plans and commands belong to another time.
        """
        if stamp_ns <= self.newest_ns:
            back_s = (self.newest_ns - stamp_ns) * 1e-9
            if back_s > _JUMP_S:
                self.end("CLOCK_JUMP", f"The camera's clock has jumped back by {back_s:.2f} s.")
            return False
        self.newest_ns = stamp_ns
        if self.planning and self._begin_ns:
            self._check_late(self._asked_ns, self._horizon)
        elif self.planning and self._standing_s:
            self._check_standing()
        return True

    def begin_plan(self, stamp_ns: int, standing_s: float = 0.0) -> int:
        """A search is asked for at the model's frame at `stamp_ns`.

        Args:
            stamp_ns: of the newest frame.
            standing_s: time for the search if the robot stands until the plan is ready; it may be longer than a plan.
                0: the robot moves.

        Returns:
            The stamp of the frame after which its plan may act: it is then ready, as far as the searches before tell.
            0 in lockstep, or for a robot that stands: the plan may act when it is ready.
        """
        self.planning, self._asked_ns, self._asked_s, self._begin_ns = True, stamp_ns, self._clock(), 0
        self._standing_s = standing_s if self._deadline_s else 0.0
        if self._deadline_s and not standing_s:
            by_deadline = math.ceil(self._deadline_s * self._rate_hz)
            latency = 1 + max(self._latencies, default=by_deadline)
            self._begin_ns = stamp_ns + round(1e9 * min(latency, int(_MOST * self._horizon)) / self._rate_hz)
        return self._begin_ns

    def add_plan(self, made: MadePlan) -> bool:
        """Whether to follow a plan that is ready now; or the goal ends with it."""
        self.planning, is_first = False, self.plan is None
        if self.over:
            return False
        self.plan, self._failed_ns = made, 0
        self.plan_seconds.append(self._clock() - self._asked_s)
        if self._begin_ns:  # what a search takes while the robot stands tells nothing about the others
            self._latencies.append(math.ceil((self.newest_ns - self._asked_ns) * 1e-9 * self._rate_hz - 1e-6))
        self.plans_late += 0 < self._begin_ns < self.newest_ns
        if self._threshold > 0 and math.isnan(made.observed_cost):
            self.end("BAD_REQUEST", NO_OBSERVED_COST)
        elif self._threshold > 0 and made.observed_cost < self._threshold:
            self.end("NONE", "", "REACHED")
        elif is_first and made.holds:
            reason = (
                "No motion comes nearer to the goal than holding still: it is fulfilled already, or out of reach."
                f" `cost_of_holding` is {made.cost_of_holding:.3g}; with the cost `goal_changes`, 0 is the goal"
                " and 1 the scene at its start."
            )
            self.end("NO_MOTION", reason)
        else:
            self._check_late(made.stamp_ns, made.steps)
        return not self.over

    def expect_again(self) -> None:
        """The newest frame got no command; when it comes again, it is new."""
        self.newest_ns -= 1

    def may_ask_again(self, code: str) -> bool:
        """Whether a search that failed with this error may be repeated: the cause may pass."""
        self.planning = False
        self._failed_ns = self._failed_ns or self.newest_ns
        lasts = (self.newest_ns - self._failed_ns) * 1e-9 * self._rate_hz < self._horizon
        return code in _PASSING and lasts and not self.over

    def frame_done(self) -> bool:
        """Count a frame that got a command; True if it counts: frames before the first plan, while it holds, do not."""
        if self.plan is None or self.over:
            return False
        self.frames_done += 1
        if 0 < self._num_frames <= self.frames_done:
            if self._threshold > 0:
                text = f"after {self.frames_done} frames the observed cost is {self.plan.observed_cost:.4g}"
                self.end("NOT_REACHED", f"The goal was not reached: {text}, expected below {self._threshold:.4g}.")
            else:
                self.end("NONE", "", "COMPLETED")
        return True

    def _check_standing(self) -> None:
        """End the goal if a search takes longer than its time and the length of a plan, though the robot stands."""
        seconds = self._clock() - self._asked_s
        if seconds > self._standing_s + self._horizon / self._rate_hz:
            allowed = f"allowed are {self._standing_s:g} s (`standing_deadline_s`)"
            self.end("PLAN_LATE", f"The search takes {seconds:.2f} s; {allowed}. Use a faster device.")

    def _check_late(self, stamp_ns: int, steps: int) -> None:
        """End the goal if a plan that starts from the frame at `stamp_ns` has ended by now."""
        late_s, length_s = (self.newest_ns - stamp_ns) * 1e-9, steps / self._rate_hz
        if late_s < length_s:
            return
        seconds = self._clock() - self._asked_s
        reason = (
            f"The search takes {seconds:.2f} s; {late_s:.2f} s after its frame, its plan of {length_s:.2f} s has ended."
        )
        self.end("PLAN_LATE", f"{reason} Set a shorter `deadline_s`, or use a faster device.")
