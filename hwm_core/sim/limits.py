"""The speed limits of the simulated robot's joints."""

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.sim.description import joints


def own_speeds(manifest: ActionManifest) -> list[float]:
    """The robot's speed limits of the manifest's joints, [A] in joint units per second.

    The recordings keep them, so a model has seen no faster motion.

    Raises:
        RobotMismatch: a manifest of another robot.
    """
    table = joints()
    return table.max_velocity[manifest.match(table.names)].tolist()
