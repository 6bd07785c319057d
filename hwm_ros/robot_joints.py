"""Joint states of the robot in the model's joint order, and the names that the robot uses for these joints."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import JointState

from hwm_core.data.robot.joint_limits import LARGEST_VALUE
from hwm_core.data.robot.joint_names import match_names, require_distinct_names
from hwm_core.errors import BadActions, BadInput
from hwm_core.live.publishers import Publishers
from hwm_ros import convert
from hwm_ros.msg import ModelInfo

_KEPT = 32  # newest messages of different publishers and names
_TOGETHER_S, _CONTRADICTION = 0.5, 0.1  # values that arrived within this time and differ by more (rad, m) contradict


@dataclass(frozen=True)
class MeasuredJoints:
    """Measured positions of the model's joints."""

    stamp_ns: int  # of the oldest value; 0: unknown
    arrived_s: float  # when the oldest value arrived, on the steady clock
    positions: NDArray[np.float32]  # [A] in the model's order
    names: list[str]  # [A] the robot's own names of these joints; commands must use them


@dataclass(frozen=True)
class _Value:
    stamp_ns: int
    arrived: float
    position: float
    robot_name: str
    publisher: int


class RobotJoints:
    """Keeps the newest message of every publisher and set of joint names, and joins them by name.

    A topic often carries several sets: for example, one driver publishes the arms and another publishes the hands.

    Args:
        clock: steady time in seconds.
        stamped: whether the stamps of the messages are on the camera's clock; otherwise they count as unknown.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, stamped: bool = True) -> None:
        self._clock, self._stamped = clock, stamped
        self._publishers = Publishers()
        self._newest: OrderedDict[tuple[int, frozenset[str]], tuple[float, JointState]] = OrderedDict()  # newest last

    def __bool__(self) -> bool:
        return bool(self._newest)

    def add(self, message: JointState, number: int | None = None) -> None:
        """Store a message; the model need not be known yet. `number`: that its publisher gave it, if known.

        A message without positions, which may hold velocities or efforts, says nothing about them.
        """
        if message.name and not message.position and (message.velocity or message.effort):
            return
        key = (self._publishers.identify(number), frozenset(message.name))
        self._newest.pop(key, None)
        self._newest[key] = (self._clock(), message)
        while len(self._newest) > _KEPT:
            self._newest.popitem(last=False)

    def age_s(self, measured: MeasuredJoints) -> float:
        """Seconds since the oldest value arrived."""
        return self._clock() - measured.arrived_s

    def measured(self, info: ModelInfo) -> MeasuredJoints:
        """The newest positions of the model's joints. At least one message must have been added.

        A malformed message is an error only until each of its joints has a newer value.

        Raises:
            RobotMismatch: the messages do not hold all joints, or the newest has a joint twice.
            BadActions: a newest value is not finite or missing, or two publishers contradict each other.
        """
        aliases = dict(zip(info.aliases, info.alias_joints))
        values: dict[str, _Value] = {}
        for (publisher, _), (arrived, message) in reversed(self._newest.items()):
            stamp_ns = convert.stamp_ns(message.header.stamp) if self._stamped else 0
            joints = [aliases.get(name, name) for name in message.name]
            wanted = set(info.joint_names)
            try:
                _require_well_formed(message, [joint for joint in joints if joint in wanted])
            except BadInput:
                if wanted.intersection(joints) <= values.keys():
                    continue
                raise
            for joint, robot_name, position in zip(joints, message.name, message.position, strict=False):
                if joint not in wanted:
                    continue
                value = _Value(stamp_ns, arrived, position, robot_name, publisher)
                _require_agreement(joint, values.setdefault(joint, value), value)
        match_names(info.joint_names, list(values), whose="the joint messages")
        positions = np.array([values[name].position for name in info.joint_names], np.float64)
        if not (np.abs(positions) <= LARGEST_VALUE).all():  # also rejects NaN
            bad = [name for name in info.joint_names if not abs(values[name].position) <= LARGEST_VALUE]
            raise BadActions(
                "Joint message",
                expected="finite positions",
                got=f"NaN, infinity or a huge value for {', '.join(bad)}",
                remedy="Fix the publisher.",
            )
        return MeasuredJoints(
            min(values[name].stamp_ns for name in info.joint_names),
            min(values[name].arrived for name in info.joint_names),
            positions.astype(np.float32),
            [values[name].robot_name for name in info.joint_names],
        )


def _require_well_formed(message: JointState, joints: Sequence[str]) -> None:
    """`joints`: those of the model in it. Raises RobotMismatch for one twice, BadActions without a position each."""
    require_distinct_names(joints, "the joint message")
    if joints and len(message.position) != len(message.name):
        raise BadActions(
            "Joint message",
            expected=f"{len(message.name)} positions, one per name",
            got=len(message.position),
            remedy="Fix the publisher.",
        )


def _require_agreement(joint: str, newest: _Value, other: _Value) -> None:
    together = newest.publisher != other.publisher and newest.arrived - other.arrived < _TOGETHER_S
    if together and abs(newest.position - other.position) > _CONTRADICTION:
        raise BadActions(
            "Joint states",
            expected="one publisher of each joint",
            got=f"two that contradict each other: {joint} at {newest.position:.3f} and {other.position:.3f}",
            remedy="Stop one of them, or remap its topic.",
        )
