"""Joint states of the robot in the model's joint order, and the names that the robot uses for these joints."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import JointState

from hwm_core.data.recording.joints import JointTrack
from hwm_core.errors import RobotMismatch
from hwm_ros import convert
from hwm_ros.msg import ModelInfo


@dataclass(frozen=True)
class MeasuredJoints:
    """Measured positions of the model's joints."""

    stamp_ns: int
    positions: NDArray[np.float32]  # [A] in the model's order
    names: list[str]  # [A] the robot's own names of these joints; commands must use them


class RobotJoints:
    """Keeps the newest message of every set of joint names.

    A topic often carries several sets: for example, one driver publishes the arms and another publishes the hands.
    """

    def __init__(self) -> None:
        self._newest: dict[frozenset[str], JointState] = {}  # newest message of each set; the newest set is last

    def __bool__(self) -> bool:
        return bool(self._newest)

    def add(self, message: JointState) -> None:
        """Store a message; the model need not be known yet."""
        joints = frozenset(message.name)
        self._newest.pop(joints, None)
        self._newest[joints] = message

    def measured(self, info: ModelInfo) -> MeasuredJoints:
        """The newest positions of the model's joints. At least one message must have been added.

        Raises:
            RobotMismatch: no message holds all joints; lists the joints that the newest message lacks.
            BadActions: the newest message with all joints has a value that is not finite, or a wrong number of values.
        """
        aliases = dict(zip(info.aliases, info.alias_joints, strict=True))
        track = JointTrack(info.joint_names, capacity=1, aliases=aliases)
        mismatch: RobotMismatch | None = None
        for message in reversed(self._newest.values()):
            try:
                track.append(0, message.name, message.position)
            except RobotMismatch as error:
                mismatch = mismatch or error
                continue
            robot_name = {aliases.get(name, name): name for name in message.name}
            names = [robot_name[name] for name in info.joint_names]
            return MeasuredJoints(convert.stamp_ns(message.header.stamp), track.before([1])[0], names)
        assert mismatch is not None, "at least one message was added"
        raise mismatch
