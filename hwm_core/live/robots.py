"""What planning knows about the robot of a model: its limits and its movement primitives."""

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.limits import Limits
from hwm_core.planning.proposals.arm import Arm
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
    world_model: WorldModel,
    joints: tuple[str, ...],
    start: NDArray[np.float32],
    space: JointSpace,
    arm: Arm | None = None,
) -> list[Primitive]:
    """The primitives of a search: of the hand of an arm that is planned whole, otherwise of the joints.

    Args:
        world_model: names the robot; the arms of the simulated humanoid are known.
        joints: the planned joints.
        start: [A] the action when the goal was set.
        space: all joints.
        arm: of the robot; None: unknown, or those of the simulated humanoid.
    """
    if arm is None and world_model.manifest.robot == ROBOT:
        return primitives_for(joints, start, space)
    hand = arm.motions(space) if arm is not None and set(arm.kinematics.joints) <= set(joints) else []
    return [*(hand or [JointMoves(joints, space)]), Back(torch.as_tensor(start), space)]
