"""The limits of the simulated robot's joints for planning."""

import numpy as np

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.sim_observer import View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.speed_limits import read_speed_limits
from hwm_core.sim.description import joints


def joint_space(view: View, config: PlanningConfig) -> JointSpace:
    """Limits and scales of the view's joints: the robot's own speed limits, and at most `config.max_velocity`.

    The recordings keep the robot's limits, so a model has seen no faster motion.

    Raises:
        RobotMismatch: a view of another robot, or a file of limits of another robot.
        BadConfig: a file of limits that cannot be read.
    """
    names = view.manifest.names
    if config.limits is not None:
        speeds, accelerations = read_speed_limits(config.limits, names, config.max_velocity)
        return JointSpace.from_manifest(view.manifest, view.frame_rate_hz, speeds, max_acceleration=accelerations)
    table = joints()
    own = np.minimum(table.max_velocity[view.manifest.match(table.names)], config.max_velocity)
    return JointSpace.from_manifest(view.manifest, view.frame_rate_hz, own.tolist())
