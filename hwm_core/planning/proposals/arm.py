"""An arm whose hand the search moves: its kinematics, and where the hand may go."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.kinematics import ArmChain, HandKinematics
from hwm_core.planning.proposals.base import Primitive
from hwm_core.planning.proposals.detour import HandDetour
from hwm_core.planning.proposals.hand import HandReach, HandStroke, Workspace
from hwm_core.planning.urdf import UrdfJoint, chain_to

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Arm:
    """One arm of a robot."""

    kinematics: HandKinematics
    workspace: Workspace
    strokes: bool = True  # whether the hand also draws strokes, which move objects

    def motions(self, space: JointSpace) -> list[Primitive]:
        """The primitives of its hand. Raises RobotMismatch for a joint that the model does not have."""
        hand: list[Primitive] = [kind(self.kinematics, self.workspace, space) for kind in (HandReach, HandDetour)]
        return [*hand, HandStroke(self.kinematics, self.workspace, space)] if self.strokes else hand


class ArmConfig(Config):
    """The arm of a robot, from its URDF."""

    urdf: str = Field(default="", description="URDF of the robot; empty: an arm that hwm knows, or none")
    palm: str = Field(default="", description="link of the palm")
    offset: Vector = Field(default=(0.0, 0.0, 0.0), description="place of the palm in the frame of its link, in metres")
    joints: tuple[str, ...] = Field(
        default=(), description="revolute joints of the arm, from the base on; empty: those of the model on the way"
    )
    fingers: Vector = Field(
        default=(0.0, 0.0, 0.0), description="direction of the fingers in the frame of the palm's link; zeros: any"
    )
    pointing: Vector = Field(
        default=(0.75, 0.0, -0.66), description="direction that they should have in the robot's frame"
    )
    strokes: bool = Field(default=True, description="whether the hand also draws strokes, which move objects")
    workspace: Workspace = Workspace()

    def arm(self, manifest: ActionManifest) -> Arm | None:
        """The arm, None without a URDF. Joints on the way to the palm that are not the arm's stay at 0.

        Args:
            manifest: of the model; its mean is the usual posture of the arm.

        Raises:
            BadConfig: a file that is not a URDF, a link that it lacks, or joints that are not those on the way.
            RobotMismatch: the model has no joint of the arm.
        """
        if not self.urdf:
            return None
        chain = chain_to(self.urdf, self.palm)
        turning = [joint for joint in chain if joint.kind in ("revolute", "continuous")]
        names = self.joints or tuple(joint.name for joint in turning if joint.name in manifest.names)
        if missing := [name for name in names if name not in manifest.names] or ([] if names else ["any"]):
            raise RobotMismatch(
                f"The arm to `{self.palm}` in {self.urdf}",
                expected=f"joints among {', '.join(manifest.names)}",
                got=", ".join(missing if names else [joint.name for joint in turning]) or "no revolute joint",
                remedy="Name the palm and the joints of the robot that the checkpoint was trained for.",
            )
        if (found := tuple(joint.name for joint in turning if joint.name in names)) != names:
            raise BadConfig(
                f"The arm to `{self.palm}` in {self.urdf}",
                expected=f"revolute joints on the way, from the base on: {', '.join(joint.name for joint in turning)}",
                got=", ".join(names),
                remedy=f"Write {', '.join(found)}." if found else "Correct `palm` or `joints`.",
            )
        home = [manifest.mean[manifest.names.index(name)] for name in names]
        return Arm(self._chain(chain, names, home), self.workspace, self.strokes)

    def _chain(self, chain: Sequence[UrdfJoint], names: tuple[str, ...], home: Sequence[float]) -> ArmChain:
        offset, rotation = torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
        offsets, rotations, moving = [], [], []
        for joint in chain:
            offset, rotation = offset + rotation @ joint.offset, rotation @ joint.rotation
            if joint.name in names:
                offsets.append(offset)
                rotations.append(rotation)
                moving.append(joint)
                offset, rotation = torch.zeros_like(offset), torch.eye(3, dtype=torch.float64)
        offsets.append(offset + rotation @ torch.tensor(self.offset, dtype=torch.float64))
        rotations.append(rotation)
        lower, upper = torch.tensor([[joint.lower for joint in moving], [joint.upper for joint in moving]])
        return ArmChain(
            joints=names,
            rotations=torch.stack(rotations).float(),
            offsets=torch.stack(offsets).float(),
            axes=torch.stack([joint.axis for joint in moving]).float(),
            lower=lower.float(),
            upper=upper.float(),
            home=torch.tensor(home).float().clamp(lower.float(), upper.float()),
            fingers=_direction(self.fingers),
            pointing=torch.tensor(self.pointing),
        )


def _direction(vector: Vector) -> Tensor | None:
    """The unit vector, None for zeros."""
    direction = torch.tensor(vector)
    return direction / direction.norm() if any(vector) else None
