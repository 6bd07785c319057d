"""What planning knows about the robot of a model: its limits and its movement primitives."""

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.limits import Limits
from hwm_core.planning.proposals.back import Back
from hwm_core.planning.proposals.base import Primitive
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.sim.description import ROBOT
from hwm_core.sim.limits import own_speeds
from hwm_core.sim.primitives import primitives_for
from hwm_core.world_model.model import WorldModel


def space_of(world_model: WorldModel, limits: Limits) -> JointSpace:
    """Limits and scales of the model's joints; of the simulated humanoid, at most its own speed limits too."""
    manifest = world_model.manifest
    own = own_speeds(manifest) if manifest.robot == ROBOT else None
    return limits.space(manifest, world_model.frame_rate_hz, world_model.device, own)


def motions_of(
    world_model: WorldModel, joints: tuple[str, ...], start: NDArray[np.float32], space: JointSpace
) -> list[Primitive]:
    """The primitives of a search: of the hands of the simulated humanoid, of the joints of any other robot.

    Args:
        world_model: names the robot.
        joints: the planned joints.
        start: [A] the action when the goal was set.
        space: all joints.
    """
    if world_model.manifest.robot == ROBOT:
        return primitives_for(joints, start, space)
    return [JointMoves(joints, space), Back(torch.as_tensor(start), space)]
