"""Inverse kinematics of an arm by damped least squares (Buss 2004, section 5), for the motions of recordings.

The same method as `planning.kinematics.ArmChain`, which computes batches in float32. MuJoCo's kinematics round in
another way than any chain of matrices, and recordings and tasks are to be repeated bit for bit; so both are kept.
"""

import numpy as np
from numpy.typing import NDArray

from hwm_core.planning.kinematics import DAMPING, HOMING, LARGEST_STEP, POINTING_WEIGHT
from hwm_core.sim.gl import mujoco
from hwm_core.sim.model import SimHumanoid

POINTING = (0.75, 0.0, -0.66)  # preferred direction of the fingers: forward and down


class ArmKinematics:
    """Postures of one arm that bring its palm to a point. Computed on a copy: `robot` does not move."""

    def __init__(self, robot: SimHumanoid, side: str) -> None:
        self._model = robot.model
        self._scratch = mujoco.MjData(robot.model)
        self._site = robot.model.site(f"{side}_palm").id
        names = [n for n in robot.joints.names if n.startswith(side) and not n.endswith("gripper")]
        joint_ids = [robot.model.joint(name).id for name in names]
        self._qpos = robot.model.jnt_qposadr[joint_ids]
        self._dofs = robot.model.jnt_dofadr[joint_ids]
        self._home = robot.joints.home[robot.joints.index(*names)]
        self._lower, self._upper = robot.model.jnt_range[joint_ids].T
        self._jacobian = np.zeros((2, 3, robot.model.nv))  # position, rotation

    def palm(self, posture: NDArray[np.float64]) -> NDArray[np.float64]:
        """Palm position [3] in metres for a posture [6]."""
        self._scratch.qpos[self._qpos] = posture
        mujoco.mj_kinematics(self._model, self._scratch)
        return self._scratch.site_xpos[self._site].copy()

    def reach(
        self, posture: NDArray[np.float64], target: NDArray[np.float64], iterations: int = 20
    ) -> NDArray[np.float64]:
        """A posture [6] within limits, near the given posture, whose palm is as close as possible to the target [3]."""
        posture = posture.copy()
        for _ in range(iterations):
            to_target = target - self.palm(posture)
            fingers = -self._scratch.site_xmat[self._site].reshape(3, 3)[:, 2]
            error = np.concatenate([to_target, POINTING_WEIGHT * np.cross(fingers, POINTING)])
            jacobian = self._palm_jacobian()
            inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))
            step = inverse @ error
            step += (np.eye(6) - inverse @ jacobian) @ (HOMING * (self._home - posture))
            posture = np.clip(posture + np.clip(step, -LARGEST_STEP, LARGEST_STEP), self._lower, self._upper)
        return posture

    def _palm_jacobian(self) -> NDArray[np.float64]:
        """[6, 6]: palm velocity (3) and weighted angular velocity (3) for each joint, at the scratch posture."""
        mujoco.mj_comPos(self._model, self._scratch)
        mujoco.mj_jacSite(self._model, self._scratch, self._jacobian[0], self._jacobian[1], self._site)
        return np.concatenate([self._jacobian[0], POINTING_WEIGHT * self._jacobian[1]])[:, self._dofs]
