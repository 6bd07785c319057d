"""The newest messages that a plan starts from: model info, context status and joint states."""

from hwm_core.errors import BadInput
from hwm_ros import convert
from hwm_ros.msg import ContextStatus, ModelInfo
from hwm_ros.robot_joints import RobotJoints

_STALE_S = 0.5  # joint states further behind the newest frame no longer give the robot's position


class PlannerInputs:
    """Stores the newest messages and reports the missing one."""

    def __init__(self) -> None:
        self.info: ModelInfo | None = None
        self.status: ContextStatus | None = None
        self.joints = RobotJoints()

    def missing(self, world_model: str, services_are_ready: bool) -> str:
        """The input that a plan still needs, in words; empty when nothing is missing.

        Args:
            world_model: name of the world_model node, for the text.
            services_are_ready: whether the node's services `set_goal` and `plan` are available.
        """
        if self.info is None or self.status is None or not services_are_ready:
            return f"an active node `{world_model}` that receives camera images"
        if not self.joints:
            return "a joint state, which gives the plan's start position"
        try:
            measured_ns = self.joints.measured(self.info).stamp_ns
        except BadInput:
            return ""  # unusable joint states are an error, not a missing input; the start of the goal raises it
        behind_s = 1e-9 * (convert.stamp_ns(self.status.image_stamp) - measured_ns)
        return "" if behind_s <= _STALE_S else f"a newer joint state: the newest is {behind_s:.1f} s behind the camera"
