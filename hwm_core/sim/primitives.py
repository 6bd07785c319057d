"""The movement primitives of the simulated humanoid, by the joints of a task."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.arm import Arm
from hwm_core.planning.proposals.back import Back
from hwm_core.planning.proposals.base import Primitive
from hwm_core.planning.proposals.hand import Workspace
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.sim.arm_chain import simulated_arm
from hwm_core.sim.description import SIDES

WORKSPACES: Mapping[str, Workspace] = {"right": Workspace(), "left": Workspace(y=(-0.20, 0.40))}


def primitives_for(
    joints: tuple[str, ...], start: NDArray[np.float32], space: JointSpace, strokes: bool = True
) -> list[Primitive]:
    """Motions of the hands whose arms move, or of the joints where no whole arm moves.

    Args:
        joints: the planned joints.
        start: [A] the action at the start of the goal.
        space: all joints.
        strokes: whether hands also draw strokes over the table, which move objects.
    """
    motions: list[Primitive] = []
    for side in SIDES:
        arm = simulated_arm(side)
        if set(arm.joints) <= set(joints):
            motions += Arm(arm, WORKSPACES[side], strokes).motions(space)
    return [*(motions or [JointMoves(joints, space)]), Back(torch.as_tensor(start), space)]
