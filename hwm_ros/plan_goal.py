"""One PlanActions goal on its way."""

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
    """What the planner knows of the goal it runs. Touched by the executor's thread alone.

    Args:
        handle: the action server's.
        planner: searches; the worker calls it.
        follower: turns plans into commands.
        done: gets (error code, reason) when the goal is over.
    """

    def __init__(
        self, handle: ServerGoalHandle, planner: RecedingHorizonPlanner, follower: PlanFollower, done: Future
    ) -> None:
        self.handle, self.planner, self.follower, self.done = handle, planner, follower, done
        self.planning = False
        self.best_cost = float("inf")
        self._frames_done = 0
        self._plan = ActionSequence()
        self._plan_seconds: list[float] = []
        self._newest_ns = 0
        self._heard_at = time.monotonic()

    @property
    def over(self) -> bool:
        return self.done.done() or self.handle.is_cancel_requested

    def silent_s(self) -> float:
        """Seconds of wall time since anything happened."""
        return 0.0 if self.planning else time.monotonic() - self._heard_at

    def is_new(self, stamp_ns: int) -> bool:
        """Take note of a frame; false when it, or a later one, was noted before."""
        if stamp_ns <= self._newest_ns:
            return False
        self._newest_ns, self._heard_at = stamp_ns, time.monotonic()
        return True

    def planned(self, plan: ActionSequence, cost: float, seconds: float) -> None:
        self._plan, self.best_cost = plan, cost
        self._plan_seconds.append(seconds)
        self._heard_at = time.monotonic()

    def commanded(self) -> None:
        """One frame is done: tell the client, and finish when it was the last or the cost is low enough.

        Frames before the first plan, when the robot stands still, do not count.
        """
        if not self._plan_seconds:
            return
        self._frames_done += 1
        self.handle.publish_feedback(self._feedback())
        wanted: PlanActions.Goal = self.handle.request
        if self._frames_done >= wanted.num_frames or self.best_cost < wanted.cost_threshold:
            self.finish()

    def finish(self, code: int = ErrorCode.NONE, reason: str = "") -> None:
        if not self.done.done():
            self.done.set_result((code, reason))

    def result(self, code: int, reason: str) -> PlanActions.Result:
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
