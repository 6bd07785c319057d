"""One running goal of the action `plan_actions`."""

import math

import numpy as np
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hwm_core.live.goal_progress import Ending, GoalProgress, MadePlan
from hwm_core.metrics.latency import percentiles_ms
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ActionSequence, ErrorCode
from hwm_ros.srv import MakePlan


def check_goal(goal: PlanActions.Goal) -> None:
    """Raises Rejected for a goal that cannot be meant."""
    threshold = goal.cost_threshold
    if not (math.isfinite(threshold) and threshold >= 0):
        raise Rejected(ErrorCode.BAD_REQUEST, f"cost_threshold: expected a number >= 0, got {threshold}.")
    if goal.num_frames == 0 and threshold == 0:
        text = "expected num_frames above 0, or a cost_threshold above 0, got 0 for both. The goal would never end."
        raise Rejected(ErrorCode.BAD_REQUEST, f"goal: {text}")


class PlanGoal:
    """A running goal in messages. Only the executor's thread uses it.

    Args:
        handle: the goal of the action server.
        progress: its course.
        done: completed with the Ending.
        version: of the goal image that is set at the world model; 0: any.
    """

    def __init__(self, handle: ServerGoalHandle, progress: GoalProgress, done: Future, version: int) -> None:
        self.handle, self.progress, self.done, self.version = handle, progress, done, version
        self.frame_ns = 0  # stamp of the newest frame of the model
        self._plan = ActionSequence()
        self.futures = 0  # candidates of the newest search

    @property
    def over(self) -> bool:
        """Whether the goal has ended, or the client has requested its cancellation."""
        return self.progress.over or self.handle.is_cancel_requested

    def is_new_model_frame(self, stamp_ns: int) -> bool:
        """Register the newest frame of the model, which may be rarer than images. False when it was the newest."""
        is_new, self.frame_ns = stamp_ns != self.frame_ns, stamp_ns
        return is_new

    def add_plan(self, made: MakePlan.Response) -> bool:
        """Whether to follow a plan that is ready now, in the order of the model's joints."""
        self._plan, self.futures = made.plan, made.futures
        return self.progress.add_plan(
            MadePlan(
                convert.stamp_ns(made.plan.header.stamp),
                made.plan.num_steps,
                made.cost,
                made.cost_of_holding,
                made.observed_cost,
                made.source == "hold",
            )
        )

    def frame_done(self) -> None:
        """Count a frame that got a command, and send feedback."""
        if self.progress.frame_done():
            self.handle.publish_feedback(self._feedback())

    def announce_end(self) -> None:
        """Complete `done` if the goal has ended."""
        if self.progress.ending is not None and not self.done.done():
            self.done.set_result(self.progress.ending)

    def result(self, ending: Ending) -> PlanActions.Result:
        """The result message of the goal."""
        progress = self.progress
        times = percentiles_ms(np.array(progress.plan_seconds or [0.0]))
        return PlanActions.Result(
            outcome=getattr(PlanActions.Result, ending.outcome),
            error_code=getattr(ErrorCode, ending.code),
            error_msg=ending.reason,
            frames_done=progress.frames_done,
            plans_made=len(progress.plan_seconds),
            plans_late=progress.plans_late,
            plan_ms_p50=times["p50"],
            plan_ms_p95=times["p95"],
            plan=self._plan,
            **self._costs(),
        )

    def _feedback(self) -> PlanActions.Feedback:
        progress = self.progress
        return PlanActions.Feedback(
            stamp=convert.time_of(progress.newest_ns),
            frames_done=progress.frames_done,
            plans_made=len(progress.plan_seconds),
            plan_ms=1e3 * progress.plan_seconds[-1] if progress.plan_seconds else 0.0,
            **self._costs(),
        )

    def _costs(self) -> dict[str, float]:
        plan = self.progress.plan
        if plan is None:
            return {"observed_cost": math.nan, "best_cost": math.inf, "cost_of_holding": math.inf}
        return {
            "observed_cost": plan.observed_cost,
            "best_cost": plan.cost,
            "cost_of_holding": plan.cost_of_holding,
        }
