"""The limits of the simulated robot's joints for planning."""

import numpy as np

from hwm_core.evaluation.sim_observer import View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.description import joints


def joint_space(view: View, max_velocity: float) -> JointSpace:
    """Limits and scales of the view's joints: the robot's own speed limits, and at most `max_velocity`.

    The recordings keep the robot's limits, so a model has seen no faster motion.

    Raises:
        RobotMismatch: a view of another robot.
    """
    table = joints()
    columns = view.manifest.match(table.names)
    speeds = np.minimum(table.max_velocity[columns], max_velocity)
    return JointSpace.from_manifest(view.manifest, view.frame_rate_hz, speeds.tolist())
