"""Hand positions of postures, and postures for hand positions, for many candidates at once."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

DAMPING = 0.03
LARGEST_STEP = 0.25  # rad per iteration and joint
HOMING = 0.15  # fraction of the way home per iteration, in the null space: the elbow stays where it usually is
POINTING_WEIGHT = 0.04  # metres of palm error that weigh as much as one unit of pointing error


class HandKinematics(Protocol):
    """The kinematics of one arm, from its palm down to the base of the robot."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the arm's J joints, the columns of postures."""
        ...

    def to(self, device: torch.device) -> "HandKinematics":
        """The same on another device."""
        ...

    def palm(self, postures: Tensor) -> Tensor:
        """Palm positions [..., 3] in metres of postures [..., J]."""
        ...

    def reach(self, postures: Tensor, targets: Tensor, iterations: int = 12) -> Tensor:
        """Postures [S, J] within the joint limits whose palm is as near as possible to targets [S, 3].

        Of the postures for a target, it prefers those near the given postures [S, J], and those like home. Targets near
        the palms need fewer iterations.
        """
        ...


@dataclass(frozen=True)
class ArmChain:
    """`HandKinematics` of J revolute joints in a row, by damped least squares (Buss 2004, section 5).

    The frame of joint j stands at `offsets[j]`, turned by `rotations[j]`, in the frame that joint j - 1 turns; the palm
    likewise in the frame of the last joint.
    """

    joints: tuple[str, ...]
    rotations: Tensor  # [J + 1, 3, 3]
    offsets: Tensor  # [J + 1, 3] in metres
    axes: Tensor  # [J, 3] unit vectors in the joints' frames
    lower: Tensor  # [J]
    upper: Tensor  # [J]
    home: Tensor  # [J] a usual posture
    fingers: Tensor | None  # [3] where the fingers point, in the palm's frame; None: any direction will do
    pointing: Tensor  # [3] where they should point, in the robot's frame

    def to(self, device: torch.device) -> "ArmChain":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: one.to(device) for name, one in values.items() if isinstance(one, Tensor)}
        return replace(self, **moved)

    def palm(self, postures: Tensor) -> Tensor:
        flat = postures.reshape(-1, postures.shape[-1])
        return self._forward(flat)[0].reshape(*postures.shape[:-1], 3)

    def reach(self, postures: Tensor, targets: Tensor, iterations: int = 12) -> Tensor:
        identity = torch.eye(3 if self.fingers is None else 6, dtype=postures.dtype, device=postures.device)
        for _ in range(iterations):
            palm, turned, axes, anchors = self._forward(postures)
            error = targets - palm
            jacobian = torch.linalg.cross(axes, palm[:, None] - anchors)
            if self.fingers is not None:
                pointing = torch.linalg.cross(turned @ self.fingers, self.pointing.expand(len(postures), 3))
                error = torch.cat([error, POINTING_WEIGHT * pointing], dim=1)
                jacobian = torch.cat([jacobian, POINTING_WEIGHT * axes], dim=2)
            jacobian = jacobian.mT  # [S, 3 or 6, J]
            damped = jacobian @ jacobian.mT + DAMPING**2 * identity
            # Not `inv`: on a GPU it waits to learn whether a matrix is singular, which the damping excludes.
            inverse = jacobian.mT @ torch.linalg.inv_ex(damped).inverse  # [S, J, 3 or 6]
            homing = HOMING * (self.home - postures)
            step = _times(inverse, error - _times(jacobian, homing)) + homing
            postures = postures + step.clamp(-LARGEST_STEP, LARGEST_STEP)
            postures = postures.maximum(self.lower).minimum(self.upper)
        return postures

    def _forward(self, postures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Palm [S, 3], its rotation [S, 3, 3], axes and anchors of the joints [S, J, 3], all in the robot's frame."""
        still, by_sine, by_cosine = self._links
        sine, cosine = postures.sin()[..., None, None], postures.cos()[..., None, None]
        links = still + sine * by_sine + cosine * by_cosine  # [S, J, 4, 4]
        frame, frames = self._base.expand(len(postures), 4, 4), []
        for joint in range(len(self.joints)):
            frames.append(frame)
            frame = frame @ links[:, joint]
        turned = torch.stack(frames, dim=1)[..., :3, :]  # [S, J, 3, 4]
        axes = (turned[..., :3] @ self.axes[:, :, None])[..., 0]
        return frame[:, :3, 3], frame[:, :3, :3], axes, turned[..., 3]

    @cached_property
    def _base(self) -> Tensor:
        """[4, 4] the frame of the first joint in the robot's frame."""
        return _frames(self.rotations[:1], self.offsets[:1])[0]

    @cached_property
    def _links(self) -> tuple[Tensor, Tensor, Tensor]:
        """Each [J, 4, 4]: the next frame in that of joint j is first + sin(angle) second + cos(angle) third.

        Rodrigues' formula, with everything that does not depend on the angle computed once.
        """
        x, y, z = self.axes.unbind(dim=1)
        zero = torch.zeros_like(x)
        cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
        ahead = _frames(self.rotations[1:], self.offsets[1:])
        by_sine, by_cosine = (_turned(turn, ahead) for turn in (cross, -cross @ cross))
        return ahead - by_cosine, by_sine, by_cosine


def _frames(rotations: Tensor, offsets: Tensor) -> Tensor:
    """[N, 4, 4] homogeneous matrices of rotations [N, 3, 3] and offsets [N, 3]."""
    frames = torch.eye(4, dtype=offsets.dtype, device=offsets.device).repeat(len(offsets), 1, 1)
    frames[:, :3] = torch.cat([rotations, offsets[..., None]], dim=2)
    return frames


def _turned(matrices: Tensor, frames: Tensor) -> Tensor:
    """Matrices [N, 3, 3] times the upper rows of frames [N, 4, 4]; the last row is zero."""
    product = torch.zeros_like(frames)
    product[:, :3] = matrices @ frames[:, :3]
    return product


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    """[S, A, B] times [S, B] -> [S, A]."""
    return (matrices @ vectors[..., None])[..., 0]
