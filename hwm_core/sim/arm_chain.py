"""The kinematics of an arm for planning, read from a MuJoCo model: of MJCF, or of a URDF that MuJoCo has loaded."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.errors import BadConfig
from hwm_core.planning.kinematics import ArmChain
from hwm_core.sim.description import joints, load_model
from hwm_core.sim.gl import mujoco
from hwm_core.sim.kinematics import POINTING

_FINGERS = (0.0, 0.0, -1.0)  # of the simulated humanoid, in the palm's frame


@lru_cache
def simulated_arm(side: str) -> ArmChain:
    """The "left" or "right" arm of the simulated humanoid."""
    table = joints()
    names = tuple(name for name in table.names if name.startswith(side) and not name.endswith("gripper"))
    return arm_chain(load_model(), f"{side}_palm", names, table.home[table.index(*names)], _FINGERS, POINTING)


def arm_chain(
    model: Any,
    palm: str,
    names: Sequence[str],
    home: NDArray[np.float64],
    fingers: Sequence[float],
    pointing: Sequence[float],
) -> ArmChain:
    """The chain of joints from the world to a site.

    Args:
        model: mujoco.MjModel. Joints on the way that are not listed keep their position of rest.
        palm: name of a site at the palm.
        names: the arm's revolute joints, in order from the base.
        home: [J] a usual posture in rad.
        fingers: [3] direction of the fingers in the frame of the site.
        pointing: [3] preferred direction of the fingers in the frame of the world.

    Raises:
        BadConfig: the listed joints are not those between world and site, in this order, or not revolute.
    """
    site = model.site(palm).id
    bodies = _bodies_to(model, model.site_bodyid[site])
    offset, rotation = np.zeros(3), np.eye(3)
    offsets, rotations, axes, found = [], [], [], []
    for body in bodies:
        offset, rotation = offset + rotation @ model.body_pos[body], rotation @ _matrix(model.body_quat[body])
        first = model.body_jntadr[body]
        for joint in range(first, first + model.body_jntnum[body]):
            name = model.joint(joint).name
            if name not in names or model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE:
                continue
            anchor = model.jnt_pos[joint]
            offsets.append(offset + rotation @ anchor)
            rotations.append(rotation)
            axes.append(model.jnt_axis[joint])
            found.append(name)
            offset, rotation = -anchor, np.eye(3)
    if tuple(found) != tuple(names):
        raise BadConfig(
            f"the arm to `{palm}`",
            expected=f"the revolute joints {', '.join(found) or '(none)'}",
            got=", ".join(names),
            remedy="List the joints between base and palm, from the base on.",
        )
    offsets.append(offset + rotation @ model.site_pos[site])
    rotations.append(rotation @ _matrix(model.site_quat[site]))
    limits = model.jnt_range[[model.joint(name).id for name in names]]
    return ArmChain(
        joints=tuple(names),
        rotations=_tensor(rotations),
        offsets=_tensor(offsets),
        axes=_tensor(axes),
        lower=_tensor(limits[:, 0]),
        upper=_tensor(limits[:, 1]),
        home=_tensor(home),
        fingers=_tensor(fingers),
        pointing=_tensor(pointing),
    )


def _bodies_to(model: Any, body: int) -> list[int]:
    """The bodies from the world, which is left out, to `body`."""
    return [] if body == 0 else [*_bodies_to(model, model.body_parentid[body]), body]


def _matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def _tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.array(values), dtype=torch.float32)
