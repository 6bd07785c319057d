"""The input topics of the world_model node: camera images, joint messages, and cuts between takes."""

from collections.abc import Callable
from concurrent.futures import Future as Job
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Empty
from trajectory_msgs.msg import JointTrajectory

from hwm_core.config import Config
from hwm_core.data.recording.trajectory_commands import TrajectoryCommands, TrajectoryPoints
from hwm_core.errors import BadInput
from hwm_core.live.context import Context
from hwm_core.live.health import Finding, InputStream, newest_rejection
from hwm_ros import convert
from hwm_ros.distributions import numbered
from hwm_ros.image_thread import ImageThread
from hwm_ros.model_server import ModelServer
from hwm_ros.msg import ModelInfo
from hwm_ros.node import STEADY
from hwm_ros.polled_subscription import PolledSubscription
from hwm_ros.qos import JOINTS_IN, RELIABLE, SENSOR, create_subscription, incompatible_publisher
from hwm_ros.topic_checks import ExpectedTopic, graph_findings

_IMAGE, _STATES, _COMMANDS, _TRAJECTORY = "head_camera/image_raw", "joint_states", "joint_commands", "joint_trajectory"
_COMPRESSED, _CUT = f"{_IMAGE}/compressed", "recording/cut"
_PREFER_RAW_S = 1.0
# Joint messages are taken at this period, and before all that looks at the context. The executor would wake for each.
_TAKE_S = 0.02
_MOST_TAKEN = 50  # messages of a topic at a time: a flood leaves time for the rest
_COMMANDS_PER_FRAME = 4  # of the model, that a trajectory gives
_LATEST_NS = (2**31 - 1) * 1_000_000_000  # the latest time that a message can hold
_NO_CLOCK = (
    "use_sim_time is set, and no time has come on /clock. Start what publishes it (`ros2 bag play --clock`), or set"
    " use_sim_time to false."
)
_OFFSET = "seconds added to the stamps of {}, to correct a constant delay between sensors"


class InputParameters(Config):
    """How messages arrive and are stamped."""

    image_transport: Literal["auto", "raw", "compressed"] = Field(
        default="auto",
        description="raw: Image; compressed: CompressedImage on <topic>/compressed; auto: whichever is published",
    )
    stamp_source: Literal["header", "receive"] = Field(
        default="header",
        description="header: the time of a message is the stamp in its header; receive: the time of its arrival",
    )
    zero_stamps: Literal["reject", "receive_time"] = Field(
        default="reject",
        description="reject: messages without a stamp are not used; receive_time: they get the time of their arrival",
    )
    image_offset_s: float = Field(default=0.0, ge=-10.0, le=10.0, description=_OFFSET.format("images"))
    joint_states_offset_s: float = Field(default=0.0, ge=-10.0, le=10.0, description=_OFFSET.format("joint states"))
    joint_commands_offset_s: float = Field(default=0.0, ge=-10.0, le=10.0, description=_OFFSET.format("commands"))

    @property
    def stamps_arrivals(self) -> bool:
        """Whether the time of arrival can be the time of a message."""
        return self.stamp_source == "receive" or self.zero_stamps == "receive_time"


class ModelInputs:
    """Adds messages to the context of a model, and knows what is wrong with them.

    Args:
        node: subscribes.
        server: of the model.
        settings: how messages arrive and are stamped.
        on_image: called after every image, used or not.
    """

    def __init__(
        self, node: Node, server: ModelServer, settings: InputParameters, on_image: Callable[[Any], None]
    ) -> None:
        self._node, self._server, self._settings, self._on_image = node, server, settings, on_image
        self._uses_commands = server.info.action_kind == ModelInfo.COMMANDS
        self.images = InputStream("Images", "error")
        self.states = InputStream("Joint states", "warning" if self._uses_commands else "error")
        self.commands = InputStream("Commands", "fine")
        self._trajectory = TrajectoryCommands(_COMMANDS_PER_FRAME * server.info.frame_rate_hz)
        self._most_commands = 2 * _COMMANDS_PER_FRAME * server.info.past_frames  # more than a window can use
        self._mismatches: dict[str, str] = {}  # {topic: incompatible QoS}
        self._graph: dict[str, Finding] = {}  # of the last `look_around`
        self._cameras: dict[str, Subscription] = {}  # by topic
        self._cameras_since = monotonic()  # when the newest of them was made
        for topic in self._image_topics():
            self._watch_camera(topic)
        self._images = ImageThread(node)
        report = self._on_mismatch
        self._others = [create_subscription(node, Empty, _CUT, self._on_cut, RELIABLE, report=report)]
        self._joints: list[PolledSubscription] = []
        self._subscribe_joints(_STATES, self._on_states)
        if self._uses_commands:
            self._subscribe_joints(_COMMANDS, self._on_command)
            trajectory = (JointTrajectory, _TRAJECTORY, self._on_trajectory, RELIABLE)
            self._others.append(create_subscription(node, *trajectory, report=report))
        self._timer = node.create_timer(_TAKE_S, self._take_joints, clock=STEADY)
        server.before_request = self._take_joints
        # Simulated time that jumps back belongs to another run: no frame before it is a past of the frames after it.
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1_000_000_000))
        self._jumps = node.get_clock().create_jump_callback(threshold, post_callback=self._on_clock_jump)

    @property
    def streams(self) -> list[InputStream]:
        """Images, joint states and commands."""
        return [self.images, self.states, self.commands]

    def close(self) -> None:
        """End all subscriptions."""
        self._jumps.unregister()
        self._server.before_request = None
        self._node.destroy_timer(self._timer)
        for subscription in (*self._cameras.values(), *self._others, *(one.subscription for one in self._joints)):
            self._node.destroy_subscription(subscription)
        self._cameras, self._others, self._joints = {}, [], []
        self._images.close()

    def restart(self) -> None:
        """Forget what arrived: the context was reset."""
        for stream in self.streams:
            stream.start()
        self._trajectory.forget()

    def rejection(self) -> tuple[str, int]:
        """The newest rejection, and how many messages of its kind were rejected since one was used."""
        return newest_rejection(self.streams)

    def findings(self) -> dict[str, Finding]:
        """What is wrong now, by a key that stays the same while it lasts; the most important first."""
        return self._graph | self.stream_findings()

    def stream_findings(self) -> dict[str, Finding]:
        """What is wrong with the messages now, as `findings`."""
        name = self._node.resolve_topic_name
        found: dict[str, Finding] = {}
        for stream, topic in zip(self.streams, (self._image_topic(), name(_STATES), name(_COMMANDS)), strict=True):
            for finding in stream.findings(topic):
                found[f"stream {stream.what} {finding.is_error}"] = finding
        return found

    def look_around(self) -> None:
        """Look for publishers that are missing, wrong or too many. Called once per second, because it costs time."""
        self._graph = dict(graph_findings(self._node, self._expected()))
        for what, joints in self._server.context.contested_joints().items():
            if joints:
                self._graph[f"contested {what}"] = Finding(self._contested(what, joints), is_error=False)
        published = self._node.count_publishers
        self._mismatches = {topic: text for topic, text in self._mismatches.items() if published(topic)}
        polled = (one.subscription for one in self._joints)
        mismatches = {one.topic_name: incompatible_publisher(self._node, one) for one in polled} | self._mismatches
        self._graph |= {f"qos {topic}": Finding(text) for topic, text in mismatches.items() if text}
        if self._node.get_parameter("use_sim_time").value and self._now_ns() == 0:
            self._graph = {"clock": Finding(_NO_CLOCK, is_error=False), **self._graph}

    def choose_camera(self) -> None:
        """With image_transport `auto`, listen to both transports again when none delivers."""
        if self._settings.image_transport != "auto":
            return
        if self.images.silent_s > 1.0:
            for topic in self._image_topics():
                if topic not in self._cameras:
                    self._watch_camera(topic)

    # ---------------------------------------------------------------- messages

    def _on_camera(self, topic: str, message: Image | CompressedImage) -> None:
        if topic == _COMPRESSED and self._raw_is_coming():
            return
        stamp_ns = self._stamp(message, self._settings.image_offset_s)
        for command in self._trajectory.until(stamp_ns, self._most_commands):
            self._add(self.commands, stamp_ns, partial(_add_command, command=command))
        if stamp_ns > 0:
            self._server.latencies.add("transport", (self._now_ns() - stamp_ns) * 1e-9)
        self._images.submit(
            partial(self._decode, stamp_ns, message), partial(self._on_decoded, topic, stamp_ns, message)
        )

    def _decode(self, stamp_ns: int, message: Image | CompressedImage) -> float:
        """Add an image, in the thread of the images. Returns the time in seconds."""
        started = perf_counter()
        self._server.context.add_image(stamp_ns, message)
        return perf_counter() - started

    def _on_decoded(self, topic: str, stamp_ns: int, message: Image | CompressedImage, job: Job) -> None:
        self._take_joints()
        self._add(self.images, stamp_ns, lambda _: self._server.latencies.add("decode", job.result()))
        if self.images.rejected_in_a_row == 0:  # one transport is enough
            for other in [other for other in self._cameras if other != topic]:
                self._node.destroy_subscription(self._cameras.pop(other))
        self._server.camera_frame = message.header.frame_id
        self._on_image(message)

    def _take_joints(self) -> None:
        for subscription in self._joints:
            subscription.take(_MOST_TAKEN)

    def _finish_earlier(self) -> None:
        """Add what has arrived, before the context starts again."""
        self._take_joints()
        self._images.finish()

    def _on_states(self, message: JointState, number: int | None) -> None:
        stamp_ns = self._stamp(message, self._settings.joint_states_offset_s)
        self._add(self.states, stamp_ns, lambda c: c.add_states(stamp_ns, message.name, message.position, number))

    def _on_command(self, message: JointState, number: int | None) -> None:
        stamp_ns = self._stamp(message, self._settings.joint_commands_offset_s)
        self._add(self.commands, stamp_ns, lambda c: c.add_command(stamp_ns, message.name, message.position, number))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        start_ns = convert.stamp_ns(message.header.stamp)
        if start_ns == 0 or self._settings.stamp_source == "receive":  # a stamp of 0 means: start now
            start_ns = self._now_ns()
        start_ns += round(1e9 * self._settings.joint_commands_offset_s)
        seconds = [convert.stamp_ns(point.time_from_start) * 1e-9 for point in message.points]

        def follow(_: Context) -> None:
            positions = [point.positions for point in message.points]
            self._trajectory.replace(start_ns, TrajectoryPoints.read(message.joint_names, start_ns, seconds, positions))

        self._add(self.commands, start_ns, follow)

    def _on_cut(self, _: Empty) -> None:
        self._finish_earlier()
        self._server.context.cut()
        self._trajectory.forget()
        self._node.get_logger().info("Cut: the context starts again")

    def _on_clock_jump(self, jump: TimeJump) -> None:
        if jump.delta.nanoseconds < 0:
            self._node.get_logger().warning(f"The clock was set back by {-jump.delta.nanoseconds * 1e-9:.1f} s")
            self._finish_earlier()
            self._server.context.clock_was_set_back()
            self._trajectory.forget()

    def _add(self, stream: InputStream, stamp_ns: int, add: Callable[[Context], None]) -> None:
        """Add a message to the context; a rejected one is logged, but not every one of many."""
        try:
            add(self._server.context)
        except BadInput as error:  # the context has counted it
            stream.rejected(error)
            self._node.get_logger().warning(f"{stream.what}: {error}", throttle_duration_sec=5.0)
        else:
            stream.accepted((self._now_ns() - stamp_ns) * 1e-9, stamp_ns)

    def _stamp(self, message: Image | CompressedImage | JointState, offset_s: float) -> int:
        stamp_ns, settings = convert.stamp_ns(message.header.stamp), self._settings
        if settings.stamp_source == "receive" or (stamp_ns == 0 and settings.zero_stamps == "receive_time"):
            stamp_ns = self._now_ns()
        moved_ns = stamp_ns + round(1e9 * offset_s)
        return moved_ns if stamp_ns > 0 and moved_ns <= _LATEST_NS else 0  # 0 is rejected

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    # ---------------------------------------------------------------- topics

    def _image_topics(self) -> tuple[str, ...]:
        return {"auto": (_IMAGE, _COMPRESSED), "raw": (_IMAGE,), "compressed": (_COMPRESSED,)}[
            self._settings.image_transport
        ]

    def _image_topic(self) -> str:
        return " or ".join(self._node.resolve_topic_name(topic) for topic in self._image_topics())

    def _watch_camera(self, topic: str) -> None:
        self._cameras_since = monotonic()
        kind = CompressedImage if topic == _COMPRESSED else Image
        self._cameras[topic] = create_subscription(
            self._node, kind, topic, partial(self._on_camera, topic), SENSOR, report=self._on_mismatch
        )

    def _raw_is_coming(self) -> bool:
        """Whether raw images, which need no decoding, are published and have not had a second to arrive."""
        waits = _IMAGE in self._cameras and monotonic() - self._cameras_since < _PREFER_RAW_S
        return waits and self._node.count_publishers(self._node.resolve_topic_name(_IMAGE)) > 0

    def _subscribe_joints(self, topic: str, callback: Callable[[JointState, int | None], None]) -> None:
        if self._settings.stamps_arrivals:  # taken at once, so that the time of arrival is right
            arguments = (self._node, JointState, topic, numbered(callback), JOINTS_IN)
            self._others.append(create_subscription(*arguments, report=self._on_mismatch))
        else:
            self._joints.append(PolledSubscription(self._node, JointState, topic, callback, JOINTS_IN))

    def _on_mismatch(self, topic: str, text: str) -> None:
        self._mismatches[topic] = text

    def _expected(self) -> list[ExpectedTopic]:
        name, transport = self._node.resolve_topic_name, self._settings.image_transport
        raw, compressed = name(_IMAGE), name(_COMPRESSED)
        image, jpeg, joints = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/JointState"
        expected = [ExpectedTopic(name(_STATES), joints)]
        published = self._node.count_publishers
        if transport == "compressed" or (transport == "auto" and published(compressed) and not published(raw)):
            other = (raw, "Start the node with image_transport:=raw or auto.")
            expected.append(ExpectedTopic(compressed, jpeg, (other,)))
        else:
            other = (compressed, "Start the node with image_transport:=compressed or auto.")
            expected.append(ExpectedTopic(raw, image, (other,)))
        optional = {_CUT: "std_msgs/msg/Empty", "~/candidates": "hwm_ros/msg/ActionCandidates"}
        if self._uses_commands:
            optional |= {_COMMANDS: joints, _TRAJECTORY: "trajectory_msgs/msg/JointTrajectory"}
        return expected + [
            ExpectedTopic(name(topic), kind) for topic, kind in optional.items() if published(name(topic))
        ]

    def _contested(self, what: str, joints: tuple[str, ...]) -> str:
        topic = self._node.resolve_topic_name(_STATES if what == "joint states" else _COMMANDS)
        publishers = self._node.get_publishers_info_by_topic(topic)
        nodes = ", ".join(sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers}))
        rule = "The first publisher's values are used" if what == "joint states" else "The newest command counts"
        some = ", ".join(joints[:3]) + (f" and {len(joints) - 3} more" if len(joints) > 3 else "")
        return f"{topic}: several publishers send {some}: {nodes}. {rule}. Stop the others, or remap their topic."


def _add_command(context: Context, command: tuple[int, tuple[str, ...], NDArray[np.float64]]) -> None:
    context.add_command(*command)
