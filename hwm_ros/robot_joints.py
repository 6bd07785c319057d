"""A robot's joint states as a planner needs them: values by the model's names, and the names the robot goes by."""

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import JointState

from hwm_core.data.joints import JointTrack
from hwm_core.errors import RobotMismatch
from hwm_ros.msg import ModelInfo


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

    def measured(self, info: ModelInfo) -> tuple[NDArray[np.float32], list[str]]:
        """The newest positions [A] of the model's joints, and the names under which the robot tells of them.

        A driver knows its joints by no other names.

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
            return track.before([1])[0], [said[name] for name in info.joint_names]
        assert mismatch is not None, "a message was heard"
        raise mismatch
