"""The limits of the simulated robot's joints for planning."""

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.sim_observer import View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.limits import Limits
from hwm_core.sim.limits import own_speeds


def joint_space(view: View, config: PlanningConfig) -> JointSpace:
    """Limits and scales of the view's joints: the robot's own speed limits, and at most `config.max_velocity`.

    Raises:
        RobotMismatch: a view of another robot, or a file of limits of another robot.
        BadConfig: a file of limits that cannot be read.
    """
    limits = Limits(max_velocity=config.max_velocity, file=config.limits or "")
    return limits.space(view.manifest, view.frame_rate_hz, own=own_speeds(view.manifest))
