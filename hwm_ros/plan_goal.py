"""One running goal of the action `plan_actions`."""

import time

import numpy as np
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hwm_core.metrics.latency import percentiles_ms
from hwm_core.planning.follower import PlanFollower
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ErrorCode
from hwm_ros.srv import MakePlan


class PlanGoal:
    """Progress of a running goal. Only the executor's thread uses it.

    Args:
        handle: the goal of the action server.
        follower: turns plans into commands.
        done: completed with (error code, reason) when the goal ends.
    """

    def __init__(self, handle: ServerGoalHandle, follower: PlanFollower, done: Future) -> None:
        self.handle, self.follower, self.done = handle, follower, done
        self.planning = False  # a search is running
        self.newest_ns = 0  # stamp of the newest camera frame
        self._frame_ns = 0  # stamp of the newest frame of the model
        self._cost = self._cost_of_holding = float("inf")
        self._frames_done = 0
        self._plan = ActionSequence()
        self._plan_seconds: list[float] = []
        self._last_event = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether the goal has ended, or the client has requested its cancellation."""
        return self.done.done() or self.handle.is_cancel_requested

    def idle_s(self) -> float:
        """Wall time since the last new frame or plan; 0 during a search."""
        return 0.0 if self.planning else time.monotonic() - self._last_event

    def is_new(self, stamp_ns: int) -> bool:
        """Register a camera frame. False when this frame, or a later one, was registered before."""
        if stamp_ns <= self.newest_ns:
            return False
        self.newest_ns, self._last_event = stamp_ns, time.monotonic()
        return True

    def begin_plan(self, stamp_ns: int) -> bool:
        """Whether to search now; then `planning` is set. A plan starts at a frame of the model, which may be rarer.

        Args:
            stamp_ns: of the newest frame of the model.
        """
        is_new, self._frame_ns = stamp_ns != self._frame_ns, stamp_ns
        begins = is_new and not self.planning and self.follower.due(stamp_ns)
        self.planning |= begins
        return begins

    def followed(self) -> ActionSequence:
        """The plan that is being followed; without rows when there is none."""
        return self._plan if self.follower.follows else ActionSequence()

    def add_plan(self, made: MakePlan.Response, seconds: float, frame_rate_hz: float) -> None:
        """Follow a new plan, or end the goal.

        A first plan that only holds still ends it: with success below the cost threshold, otherwise with NO_MOTION. A
        plan that ended before it was ready ends it too.

        Args:
            made: the plan, in the order of the model's joints.
            seconds: wall time of the search.
            frame_rate_hz: of the plan.
        """
        stamp_ns, first = convert.stamp_ns(made.plan.header.stamp), not self._plan_seconds
        self._plan, self._cost, self._cost_of_holding = made.plan, made.cost, made.cost_of_holding
        self._plan_seconds.append(seconds)
        self._last_event = time.monotonic()
        length_s = made.plan.num_steps / frame_rate_hz
        if first and made.cost_of_holding < self.handle.request.cost_threshold:
            self.finish()
        elif first and made.source == "hold":
            self.finish(
                ErrorCode.NO_MOTION,
                "No motion comes nearer to the goal than holding still: it is fulfilled already, or out of reach.",
            )
        elif (self.newest_ns - stamp_ns) * 1e-9 >= length_s:
            reason = f"The search took {seconds:.2f} s, but its plan lasts {length_s:.2f} s. Set a shorter `deadline_s`"
            self.finish(ErrorCode.TIMEOUT, f"{reason}, or use a faster device.")
        else:
            self.follower.adopt(stamp_ns, convert.read_sequence(made.plan))

    def frame_done(self) -> None:
        """Count one camera frame, send feedback, and finish after the last frame or below the cost threshold.

        Frames before the first plan, while the robot holds still, do not count.
        """
        if not self._plan_seconds:
            return
        self._frames_done += 1
        self.handle.publish_feedback(self._feedback())
        request: PlanActions.Goal = self.handle.request
        if self._frames_done >= request.num_frames or self._cost < request.cost_threshold:
            self.finish()

    def finish(self, code: int = ErrorCode.NONE, reason: str = "") -> None:
        """End the goal; only the first call has an effect."""
        if not self.done.done():
            self.done.set_result((code, reason))

    def result(self, code: int, reason: str) -> PlanActions.Result:
        """The result message of the goal."""
        times = percentiles_ms(np.array(self._plan_seconds or [0.0]))
        return PlanActions.Result(
            error_code=code,
            error_msg=reason,
            frames_done=self._frames_done,
            plans_made=len(self._plan_seconds),
            best_cost=self._cost,
            cost_of_holding=self._cost_of_holding,
            plan_ms_p50=times["p50"],
            plan_ms_p95=times["p95"],
            plan=self._plan,
        )

    def _feedback(self) -> PlanActions.Feedback:
        return PlanActions.Feedback(
            stamp=convert.time_of(self.newest_ns),
            frames_done=self._frames_done,
            plans_made=len(self._plan_seconds),
            best_cost=self._cost,
            cost_of_holding=self._cost_of_holding,
            plan_ms=1e3 * self._plan_seconds[-1] if self._plan_seconds else 0.0,
        )
