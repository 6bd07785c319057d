"""The `world_model` node: a lifecycle node that serves a world model from live camera images and joint messages."""

import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from pydantic import Field
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage, Image, JointState

from hwm_core.errors import BadInput
from hwm_core.live.context import Context, NoContext
from hwm_ros import convert
from hwm_ros.diagnostics import diagnostics_message, peak_memory_mb
from hwm_ros.error_codes import error_code, error_text
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.model_server import ModelParameters, ModelServer
from hwm_ros.msg import ContextStatus, ModelInfo
from hwm_ros.node import STEADY, run
from hwm_ros.parameters import declare_parameters, read_parameters, watch_parameters
from hwm_ros.preview import PreviewPublisher
from hwm_ros.qos import JOINTS_IN, LATCHED, RELIABLE, SENSOR, create_publisher, create_subscription
from hwm_ros.services import ModelServices

_DIAGNOSTICS_S, _CHECK_S = 1.0, 0.1
_FIRST_IMAGE_S, _WARN_EVERY_S = 5, 30  # when a missing image topic is first logged, and how often again


class WorldModelParameters(ModelParameters):
    """Parameters of the node."""

    autostart: bool = Field(
        default=True, description="configure and activate the node when it starts, without a lifecycle manager"
    )
    image_transport: Literal["raw", "compressed"] = Field(
        default="raw", description="raw: sensor_msgs/Image; compressed: CompressedImage on <topic>/compressed"
    )
    zero_stamps: Literal["reject", "receive_time"] = Field(
        default="reject", description="messages without a stamp: reject them, or stamp them with the time of arrival"
    )
    prediction_rate_hz: float = Field(
        default=2.0,
        ge=0.0,
        le=60.0,
        description="predictions published per second while a topic has a subscriber; 0: none",
    )


Transition = Callable[["WorldModelNode", LifecycleState], TransitionCallbackReturn]


def _reported(transition: Callable[["WorldModelNode"], None]) -> Transition:
    """A transition that logs why it failed. Bad input returns FAILURE (the state stays), any other error ERROR."""

    @wraps(transition)
    def guarded(self: "WorldModelNode", _: LifecycleState) -> TransitionCallbackReturn:
        try:
            transition(self)
        except BadInput as error:
            self.report_fault(error)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.report_fault(error)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return guarded


class WorldModelNode(LifecycleNode):
    """Adds messages to the context, publishes its status, and offers the model's services.

    Callbacks only store messages. A worker thread owns the model and answers the requests.
    """

    def __init__(self) -> None:
        super().__init__("world_model")
        declare_parameters(self, WorldModelParameters)
        self._model = LifecycleModel()
        watch_parameters(self, WorldModelParameters, lambda: self._model.server is not None, self._apply)
        self._entities: list[Any] = []  # subscriptions and timers that exist while the node is active
        self._fault = ""  # why the last transition or request failed
        self._received: Counter[str] = Counter()  # messages since the last diagnostics, by topic
        self._image_topic = ""
        self._seconds_without_image = 0  # since the activation

        self._info = create_publisher(self, ModelInfo, "~/model_info", LATCHED)
        self._status = create_publisher(self, ContextStatus, "~/context_status", RELIABLE)
        self._diagnostics = create_publisher(self, DiagnosticArray, "/diagnostics", RELIABLE)
        self._model_services = ModelServices(self, self._model, self.report_fault)
        self._preview = PreviewPublisher(self, self._model, self.report_fault)
        self.create_timer(_DIAGNOSTICS_S, self._publish_diagnostics, clock=STEADY)
        self.create_timer(_CHECK_S, self._check, clock=STEADY)
        if self.get_parameter("autostart").value and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # ---------------------------------------------------------------- lifecycle

    @_reported
    def on_configure(self) -> None:
        parameters = read_parameters(self, WorldModelParameters)
        self.get_logger().info(f"Loading `{parameters.checkpoint}` on {parameters.device}")
        self._settings, self._model.server = parameters, ModelServer(self, parameters)
        self._fault = ""
        info = self._model.server.info
        self._info.publish(info)
        self.get_logger().info(f"Loaded `{info.name}` for {info.robot}: {info.num_parameters / 1e6:.1f} M parameters")

    @_reported
    def on_activate(self) -> None:
        server, settings = self._model.loaded(), self._settings
        server.reset()
        self._fault = ""
        kind, suffix = (Image, "") if settings.image_transport == "raw" else (CompressedImage, "/compressed")
        self._image_topic = self.resolve_topic_name(f"head_camera/image_raw{suffix}")
        self._received.clear()
        self._seconds_without_image = 0
        self._entities = [
            create_subscription(self, kind, f"head_camera/image_raw{suffix}", self._on_image, SENSOR),
            create_subscription(self, JointState, "joint_states", self._on_states, JOINTS_IN),
            self._model_services.subscribe(),
        ]
        if settings.prediction_rate_hz > 0:
            self._entities.append(self._preview.start(settings.prediction_rate_hz))
        if server.info.action_kind == ModelInfo.COMMANDS:
            self._entities.append(create_subscription(self, JointState, "joint_commands", self._on_command, JOINTS_IN))
        self._model.is_active = True
        self.get_logger().info(f"Active: waits for images on {self._image_topic}")

    @_reported
    def on_deactivate(self) -> None:
        self._stop()

    @_reported
    def on_cleanup(self) -> None:
        self._release()

    @_reported
    def on_shutdown(self) -> None:
        self._release()

    @_reported
    def on_error(self) -> None:
        self._release()

    def destroy_node(self) -> None:
        self._release()
        super().destroy_node()

    def report_fault(self, error: Exception) -> None:
        """Log an error and keep its message for the diagnostics."""
        self._fault = error_text(error)
        trace = "" if isinstance(error, BadInput) else "\n" + "".join(traceback.format_exception(error))
        self.get_logger().error(self._fault + trace)

    def _stop(self) -> None:
        self._model.is_active = False
        for entity in self._entities:
            (self.destroy_timer if hasattr(entity, "cancel") else self.destroy_subscription)(entity)
        self._entities = []

    def _release(self) -> None:
        self._stop()
        if self._model.server is not None:
            self._model.server.close()
            self._model.server = None

    def _apply(self, parameters: WorldModelParameters) -> None:
        """Apply a changed LIVE parameter."""
        if self._model.server is not None:
            self._model.server.set_objective(parameters.objective)

    # ---------------------------------------------------------------- input

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._add("image", lambda context, stamp_ns: context.add_image(stamp_ns, message), message)
        if (server := self._model.server) is not None:
            server.camera_frame = message.header.frame_id
            self._publish_status(server)
            stamp_ns = convert.stamp_ns(message.header.stamp)
            if stamp_ns > 0:
                server.latencies.add("status", (self.get_clock().now().nanoseconds - stamp_ns) * 1e-9)

    def _on_states(self, message: JointState) -> None:
        self._add("joint_states", lambda context, ns: context.add_states(ns, message.name, message.position), message)

    def _on_command(self, message: JointState) -> None:
        self._add(
            "joint_commands", lambda context, ns: context.add_command(ns, message.name, message.position), message
        )

    def _add(self, topic: str, add: Callable[[Context, int], None], message: Any) -> None:
        """Count a message and add it to the context; a rejected message is logged."""
        if self._model.server is None:  # the message was already queued when the subscription ended
            return
        self._received[topic] += 1
        try:
            add(self._model.server.context, self._stamp(message))
        except BadInput as error:  # the context has counted it
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)

    def _stamp(self, message: Image | CompressedImage | JointState) -> int:
        stamp_ns = convert.stamp_ns(message.header.stamp)
        if stamp_ns == 0 and self._settings.zero_stamps == "receive_time":
            return self.get_clock().now().nanoseconds
        return stamp_ns

    def _publish_status(self, server: ModelServer) -> None:
        context = server.context
        error = context.readiness_error()
        status = ContextStatus(
            header=convert.header(context.newest_stamp_ns or 0, server.camera_frame),
            image_stamp=convert.time_of(context.newest_image_ns or 0),
            image_period_s=context.image_period_s,
            ready=error is None,
            frames_held=context.frames_held,
            frames_needed=server.info.past_frames,
            goal_version=server.goal_version,
            requests_waiting=int(server.requests()["requests_waiting"]),
            **context.counts(),
        )
        if error is not None:
            status.error_code, status.error_msg = error_code(error), str(error)
        self._status.publish(status)

    # ---------------------------------------------------------------- health

    def _publish_diagnostics(self) -> None:
        values: dict[str, Any] = {"memory_peak_mb": peak_memory_mb()}
        level, summary = DiagnosticStatus.OK, "ready"
        server = self._model.server
        if server is None or not self._model.is_active:
            level, summary = DiagnosticStatus.WARN, "unconfigured" if server is None else "inactive"
        else:
            values |= {f"{topic}_rate_hz": count / _DIAGNOSTICS_S for topic, count in self._received.items()}
            values |= server.health(self.get_clock().now().nanoseconds)
            self._warn_without_image()
            if (error := server.context.readiness_error()) is not None:
                level = DiagnosticStatus.WARN if isinstance(error, NoContext) else DiagnosticStatus.ERROR
                summary = str(error)
        if self._fault:
            level, summary = DiagnosticStatus.ERROR, self._fault
        self._diagnostics.publish(diagnostics_message(self, level, summary, values))
        self._received = Counter(dict.fromkeys(self._received, 0))  # keep the topics: a silent one is reported as 0 Hz
        if self._model.is_active:  # a failed request is reported once; a failed transition until the next transition
            self._fault = ""

    def _check(self) -> None:
        if self._model.server is not None:
            self._model.server.expire_requests()

    def _warn_without_image(self) -> None:
        """Log that no image has arrived since the activation, and the other transport's topic if it has a publisher."""
        if "image" in self._received:
            return
        self._seconds_without_image += 1
        if self._seconds_without_image % _WARN_EVERY_S != _FIRST_IMAGE_S:
            return
        topic, raw = self._image_topic, self._settings.image_transport == "raw"
        other = f"{topic}/compressed" if raw else topic.removesuffix("/compressed")
        remedy = "Check the camera, and the remapping of this topic."
        if self.count_publishers(other):
            remedy = f"{other} has a publisher: start the node with image_transport:={'compressed' if raw else 'raw'}."
        self.get_logger().warning(f"No image on {topic} for {self._seconds_without_image} s. {remedy}")


def main() -> None:
    """Entry point of the executable `world_model`."""
    run(WorldModelNode)
