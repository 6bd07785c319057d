"""A robot's joint states as a planner needs them: values by the model's names, and the names the robot goes by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import JointState

from hwm_core.data.recording.joints import JointTrack
from hwm_core.errors import RobotMismatch
from hwm_ros import convert
from hwm_ros.msg import ModelInfo


@dataclass(frozen=True)
class Measured:
    """Where the robot is."""

    stamp_ns: int
    positions: NDArray[np.float32]  # [A] in the model's order
    names: list[str]  # of the same joints, as the robot tells of them: its driver knows no others


class RobotJoints:
    """The newest message of each publisher: hands, say, are often told on the topic of the arms, and by themselves."""

    def __init__(self) -> None:
        self._newest: dict[frozenset[str], JointState] = {}  # by the joints it tells of, the newest last

    def __bool__(self) -> bool:
        return bool(self._newest)

    def hear(self, message: JointState) -> None:
        """Take a message, before or after the model is known."""
        joints = frozenset(message.name)
        self._newest.pop(joints, None)
        self._newest[joints] = message

    def measured(self, info: ModelInfo) -> Measured:
        """The newest positions of the model's joints.

        Raises:
            RobotMismatch: no message holds all of them; names what the newest lacks.
            BadActions: the newest that does is not finite, or not of one position per name.
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
            said = {aliases.get(name, name): name for name in message.name}
            names = [said[name] for name in info.joint_names]
            return Measured(convert.stamp_ns(message.header.stamp), track.before([1])[0], names)
        assert mismatch is not None, "a message was heard"
        raise mismatch
