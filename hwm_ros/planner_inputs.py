"""The newest messages that a plan starts from: model info, context status and joint states."""

import time
from collections.abc import Callable

from hwm_core.errors import BadInput
from hwm_core.live.goal_progress import NO_OBSERVED_COST
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ContextStatus, ErrorCode, ModelInfo
from hwm_ros.planner_parameters import MpcPlannerParameters
from hwm_ros.robot_joints import RobotJoints

_STALE_S = 0.5  # joint states further behind the newest frame no longer give the robot's position


class PlannerInputs:
    """Stores the newest messages and reports the missing one.

    Args:
        settings: of the planner.
        clock: steady time in seconds.
    """

    def __init__(self, settings: MpcPlannerParameters, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.info: ModelInfo | None = None
        self.status: ContextStatus | None = None
        self.joints = RobotJoints(clock, stamped=settings.stamp_source == "header")

    def require_comparison(self, goal: PlanActions.Goal) -> None:
        """Raises Rejected for a goal whose threshold the objective of the world model can never meet."""
        if goal.cost_threshold > 0 and self.status is not None and not self.status.compares_images:
            raise Rejected(ErrorCode.BAD_REQUEST, NO_OBSERVED_COST)

    def missing(self, services_are_ready: bool) -> str:
        """The input that a plan still needs, in words; empty when nothing is missing.

        Args:
            services_are_ready: whether the node's services `set_goal` and `plan` are available.
        """
        if self.info is None or self.status is None or not services_are_ready:
            return f"an active node `{self.settings.world_model}` that receives camera images"
        if not self.joints:
            return "a joint state, which gives the plan's start position"
        try:
            measured = self.joints.measured(self.info)
        except BadInput:
            return ""  # unusable joint states are an error, not a missing input; the start of the goal raises it
        if not measured.stamp_ns:
            age_s = 0.0 if self.settings.lockstep else self.joints.age_s(measured)
            return "" if age_s <= _STALE_S else f"a newer joint state: the newest arrived {age_s:.1f} s ago"
        behind_s = 1e-9 * (convert.stamp_ns(self.status.image_stamp) - measured.stamp_ns)
        if behind_s <= _STALE_S:
            return ""
        hint = "If its clock is another one, set `stamp_source` of both nodes to `receive`"
        return f"a newer joint state: the newest is {behind_s:.1f} s behind the camera. {hint}"
