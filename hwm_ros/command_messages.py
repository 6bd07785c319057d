"""The outputs of the planner: the messages that carry a command to a robot, a row for each kind."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hwm_core.config import Config
from hwm_core.data.robot.joint_names import match_names
from hwm_core.errors import RobotMismatch
from hwm_core.live.command import Command
from hwm_ros import convert
from hwm_ros.msg import ModelInfo
from hwm_ros.parameters import READ_ONLY
from hwm_ros.qos import JOINTS_OUT, create_publisher

OutputName = Literal["joint_state", "joint_trajectory", "float64_array"]


class OutputParameters(Config):
    """How commands reach the robot."""

    outputs: tuple[OutputName, ...] = Field(
        default=("joint_state",),
        min_length=1,
        description="messages of each command: joint_state, joint_trajectory, float64_array; several are allowed",
        json_schema_extra=READ_ONLY,
    )
    output_joints: tuple[str, ...] = Field(
        default=(),
        description="order of float64_array: all joints of the checkpoint, by its names or their aliases",
        json_schema_extra=READ_ONLY,
    )

    @model_validator(mode="after")
    def _order_is_known(self) -> "OutputParameters":
        if len(set(self.output_joints)) != len(self.output_joints):
            raise ValueError("each name of `output_joints` once")
        if ("float64_array" in self.outputs) != bool(self.output_joints):
            raise ValueError("`output_joints` with the output float64_array, which has no names, and only with it")
        return self


@dataclass(frozen=True)
class Output:
    """One kind of output."""

    topic: str
    kind: type
    # The message of a command, from the robot's names [A] and the columns [A] of `output_joints`.
    write: Callable[[Command, Sequence[str], Sequence[int]], Any]


def _joint_state(command: Command, names: Sequence[str], _: Sequence[int]) -> JointState:
    return convert.joint_message(names, command.positions, convert.header(command.stamp_ns))


def _joint_trajectory(command: Command, names: Sequence[str], _: Sequence[int]) -> JointTrajectory:
    """A stamp of 0 means "now": the camera's stamp may be past when the controller gets the message."""
    point = JointTrajectoryPoint(positions=array("d", np.asarray(command.positions, np.float64)))
    point.time_from_start = convert.duration_of(round(1e9 * command.period_s))
    return JointTrajectory(joint_names=list(names), points=[point])


def _float64_array(command: Command, _: Sequence[str], columns: Sequence[int]) -> Float64MultiArray:
    return Float64MultiArray(data=array("d", np.asarray(command.positions, np.float64)[list(columns)]))


OUTPUTS: dict[OutputName, Output] = {
    "joint_state": Output("joint_commands", JointState, _joint_state),
    "joint_trajectory": Output("joint_trajectory", JointTrajectory, _joint_trajectory),
    "float64_array": Output("position_commands", Float64MultiArray, _float64_array),
}


class CommandMessages:
    """Publishes each command in all chosen messages.

    Args:
        node: publishes.
        parameters: which messages.
    """

    def __init__(self, node: Node, parameters: OutputParameters) -> None:
        self._order = parameters.output_joints
        self._outputs = [OUTPUTS[name] for name in dict.fromkeys(parameters.outputs)]
        self._publishers = [create_publisher(node, row.kind, row.topic, JOINTS_OUT) for row in self._outputs]

    def columns(self, info: ModelInfo) -> list[int]:
        """The model's joint of each of `output_joints`; empty without them.

        Raises:
            RobotMismatch: they are not exactly the joints of the model.
        """
        if not self._order:
            return []
        aliases = dict(zip(info.aliases, info.alias_joints, strict=True))
        order = [aliases.get(name, name) for name in self._order]
        unknown = [name for name in order if name not in info.joint_names]
        missing = [name for name in info.joint_names if name not in order]
        if unknown or missing or len(order) != len(info.joint_names):
            found = {"unknown": unknown, "missing": missing}
            raise RobotMismatch(
                "`output_joints`",
                expected=f"each joint of the checkpoint once: {', '.join(info.joint_names)}",
                got="; ".join(f"{what}: {', '.join(names)}" for what, names in found.items() if names)
                or "one joint under two names",
                remedy="Correct the order of float64_array.",
            )
        return match_names(order, list(info.joint_names), whose="the checkpoint").tolist()

    def publish(self, command: Command, names: Sequence[str], columns: Sequence[int]) -> None:
        """Publish a command.

        Args:
            command: its positions [A] are in the order of the model.
            names: [A] that the robot uses for these joints.
            columns: of `columns`.
        """
        for row, publisher in zip(self._outputs, self._publishers, strict=True):
            publisher.publish(row.write(command, names, columns))
