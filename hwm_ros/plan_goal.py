"""One running goal of the action `plan_actions`."""

import time

import numpy as np
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hwm_core.metrics.latency import percentiles_ms
from hwm_core.planning.follower import PlanFollower
from hwm_core.planning.receding_horizon import RecedingHorizonPlanner
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ErrorCode


class PlanGoal:
    """Progress of a running goal. Only the executor's thread uses it.

    Args:
        handle: the goal of the action server.
        planner: searches for plans in the worker thread.
        follower: turns plans into commands.
        done: completed with (error code, reason) when the goal ends.
    """

    def __init__(
        self, handle: ServerGoalHandle, planner: RecedingHorizonPlanner, follower: PlanFollower, done: Future
    ) -> None:
        self.handle, self.planner, self.follower, self.done = handle, planner, follower, done
        self.planning = False  # a search is running
        self.best_cost = float("inf")
        self._frames_done = 0
        self._plan = ActionSequence()
        self._plan_seconds: list[float] = []
        self._newest_ns = 0
        self._last_event = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether the goal has ended, or the client has requested its cancellation."""
        return self.done.done() or self.handle.is_cancel_requested

    def idle_s(self) -> float:
        """Wall time since the last new frame or plan; 0 during a search."""
        return 0.0 if self.planning else time.monotonic() - self._last_event

    def is_new(self, stamp_ns: int) -> bool:
        """Register a frame. False when this frame, or a later one, was registered before."""
        if stamp_ns <= self._newest_ns:
            return False
        self._newest_ns, self._last_event = stamp_ns, time.monotonic()
        return True

    def add_plan(self, plan: ActionSequence, cost: float, seconds: float) -> None:
        """Register a new plan, its cost and the wall time of its search."""
        self._plan, self.best_cost = plan, cost
        self._plan_seconds.append(seconds)
        self._last_event = time.monotonic()

    def frame_done(self) -> None:
        """Count one frame, send feedback, and finish after the last frame or below the cost threshold.

        Frames before the first plan, while the robot holds still, do not count.
        """
        if not self._plan_seconds:
            return
        self._frames_done += 1
        self.handle.publish_feedback(self._feedback())
        request: PlanActions.Goal = self.handle.request
        if self._frames_done >= request.num_frames or self.best_cost < request.cost_threshold:
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
            best_cost=self.best_cost,
            plan_ms_p50=times["p50"],
            plan_ms_p95=times["p95"],
            plan=self._plan,
        )

    def _feedback(self) -> PlanActions.Feedback:
        return PlanActions.Feedback(
            stamp=convert.time_of(self._newest_ns),
            frames_done=self._frames_done,
            plans_made=len(self._plan_seconds),
            best_cost=self.best_cost,
            plan_ms=1e3 * self._plan_seconds[-1] if self._plan_seconds else 0.0,
        )
