"""Publishes the commands of the planner: to the robot, or in shadow mode on a topic of their own."""

import time

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import JointState

from hwm_core.errors import BadInput
from hwm_core.live.command import Command
from hwm_core.live.command_stream import CommandStream
from hwm_core.live.stream_config import StreamConfig
from hwm_core.planning.joint_space import JointSpace
from hwm_ros import convert
from hwm_ros.command_messages import CommandMessages, OutputParameters
from hwm_ros.msg import ModelInfo
from hwm_ros.node import STEADY
from hwm_ros.qos import JOINTS_OUT, create_publisher

_TICK_S = 0.01  # period of the check for commands that are due without a frame
_LOST_S = 0.5  # a robot in lockstep that still shows the old frame so long after its command has not received it


class CommandOutput:
    """Owns the command stream of the newest model.

    In lockstep the robot waits for its commands, so time is the time of its stamps, and no command comes without a
    frame.

    Args:
        node: publishes.
        settings: of the commands.
        lockstep: whether the robot waits for commands.
        publish: whether commands reach the robot.
        outputs: in which messages.
    """

    def __init__(
        self,
        node: Node,
        settings: StreamConfig,
        lockstep: bool,
        publish: bool,
        outputs: OutputParameters | None = None,
    ) -> None:
        self._node, self._settings, self._lockstep, self._publish = node, settings, lockstep, publish
        self._commands = CommandMessages(node, outputs or OutputParameters())
        self._columns: list[int] = []  # of the output without names
        self._shadow = create_publisher(node, JointState, "~/shadow_commands", JOINTS_OUT)
        self._timer = node.create_timer(_TICK_S, self._tick, clock=STEADY)
        self._timer.cancel()
        self._info: ModelInfo | None = None
        self._names: list[str] = []  # [A] the robot's names of the stream's joints
        # Names [A], time, stamp and positions [A]; of the joints of the newest model, which may be another one.
        self._measured: tuple[list[str], float, int, NDArray[np.floating]] | None = None
        self._newest_ns = 0  # newest stamp of the robot
        self._started_s = time.monotonic()
        self.stream: CommandStream | None = None  # exists after the first ModelInfo
        self._newest: tuple[Command, float] | None = None  # the newest command, and when it was sent
        self.sent = self.shadows = 0  # numbers of messages

    @property
    def is_silent(self) -> bool:
        """Whether no command will come until a goal begins."""
        return self.stream is None or self.stream.silent

    @property
    def at_rest(self) -> bool:
        """Whether the robot is not being moved."""
        return self.stream is None or self.stream.at_rest

    def unfinished(self, info: ModelInfo | None, settings: StreamConfig) -> str:
        """What must end before `use`, in words; empty: nothing. A moving robot first brakes by its old limits."""
        if self.at_rest or self._is_used(info, settings):
            return ""
        return "a robot at rest: it still brakes after the goal before"

    def look_at(self, info: ModelInfo) -> None:
        """Log at once what `use` would raise for this model."""
        try:
            self._commands.columns(info)
        except BadInput as error:
            self._node.get_logger().error(str(error))

    def use(self, info: ModelInfo, settings: StreamConfig) -> None:
        """Keep the limits of this model, and these settings from now on. Only when nothing is `unfinished`.

        Raises:
            RobotMismatch: the order of an output is not that of this model's joints.
        """
        columns = self._commands.columns(info)
        if self.stream is not None and self._is_used(info, settings):
            return
        limits = (info.joint_names, info.lower, info.upper, info.scale, info.frame_rate_hz)
        space = JointSpace.from_limits(*limits, info.max_velocity, max_acceleration=info.max_acceleration)
        # A planner that has just started waits: the process before it may have sent a command a moment ago.
        started_s = None if self._lockstep else self._started_s
        sent_at_s = started_s if self.stream is None else self.stream.sent_at_s
        self._info, self._settings, self._columns = info, settings, columns
        self.stream = CommandStream(space, settings, self._clock, sent_at_s, self._lockstep)
        self.stream.set_shadow(not self._publish)
        self._tell_measured()

    def set_publish(self, publish: bool) -> None:
        """Whether commands reach the robot, from now on."""
        self._publish = publish
        if self.stream is not None:
            self.stream.set_shadow(not publish)

    def measured(self, stamp_ns: int, names: list[str], positions: NDArray[np.floating]) -> None:
        """Add the measured position [A] of the robot, and its names of the joints."""
        self._newest_ns = stamp_ns or self._newest_ns
        self._measured = (names, self._clock(), stamp_ns, positions)
        self._tell_measured()

    def begin(self, replan_frames: int) -> None:
        """A goal begins; `use` was called before."""
        assert self.stream is not None
        self.stream.begin(replan_frames)
        if not self._lockstep:
            self._timer.reset()

    def stop(self) -> None:
        """A goal ends: slow down, hold, fall silent. In lockstep the robot stands already."""
        if self.stream is None:
            return
        if self._lockstep:
            self.stream.cut()
        else:
            self.stream.stop()

    def seen(self, stamp_ns: int) -> None:
        """A camera frame was acquired at `stamp_ns`."""
        self._newest_ns = stamp_ns

    def frame(self, stamp_ns: int) -> bool:
        """Publish the command of a camera frame. False when none can be given: the robot's position is unknown."""
        assert self.stream is not None
        if (command := self.stream.frame(stamp_ns)) is not None:
            self._send(command)
        return self.stream.prepare(stamp_ns)

    def repeat(self, stamp_ns: int) -> None:
        """The robot repeats the camera frame of `stamp_ns`: if it has a command, send that again.

        In lockstep, one lost message would otherwise stop both sides: the first command, for example, may be sent
        before DDS has connected the robot.
        """
        if not self._lockstep or self._newest is None:
            return
        command, sent_s = self._newest
        if command.stamp_ns == stamp_ns and time.monotonic() - sent_s > _LOST_S:
            self._send(command)

    def _is_used(self, info: ModelInfo | None, settings: StreamConfig) -> bool:
        return info == self._info and settings == self._settings

    def _tell_measured(self) -> None:
        """Tell the stream the measured position, if its joints are meant: it may still stop the robot of a model that
        was replaced by one with other joints."""
        if self.stream is None or self._info is None or self._measured is None:
            return
        names, at_s, stamp_ns, positions = self._measured
        aliases = dict(zip(self._info.aliases, self._info.alias_joints))
        if [aliases.get(name, name) for name in names] == list(self._info.joint_names):
            self._names = names
            self.stream.measured(at_s, stamp_ns, positions)

    def _tick(self) -> None:
        if self.stream is not None and (command := self.stream.overdue()) is not None:
            self._send(command)
        if self.is_silent:
            self._timer.cancel()

    def _send(self, command: Command) -> None:
        assert self.stream is not None
        self._newest = (command, time.monotonic())
        if self.stream.shadow:
            self.shadows += 1
            header = convert.header(command.stamp_ns)
            self._shadow.publish(convert.joint_message(self._names, command.positions, header))
        else:
            self.sent += 1
            self._commands.publish(command, self._names, self._columns)

    def _clock(self) -> float:
        return self._newest_ns * 1e-9 if self._lockstep else time.monotonic()
