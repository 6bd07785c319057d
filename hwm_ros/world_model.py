"""The world model as a lifecycle node: camera and joints in; predictions, scores and health out."""

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
from hwm_ros.answers import Answers
from hwm_ros.model_server import ModelParameters, ModelServer
from hwm_ros.msg import ContextStatus, ModelInfo
from hwm_ros.node import STEADY, NotActive, error_code, error_text, health, memory_mb, run
from hwm_ros.parameters import declare_parameters, read_parameters, watch_parameters
from hwm_ros.qos import JOINTS_IN, LATCHED, RELIABLE, SENSOR, create_publisher, create_subscription

_DIAGNOSTICS_S = 1.0


class WorldModelParameters(ModelParameters):
    """Parameters of the node."""

    autostart: bool = Field(default=True, description="configure and activate at start, without a lifecycle manager")
    image_transport: Literal["raw", "compressed"] = Field(
        default="raw", description="sensor_msgs/Image, or CompressedImage on <topic>/compressed"
    )
    zero_stamps: Literal["reject", "receive_time"] = Field(
        default="reject", description="messages without a stamp: rejected, or stamped with the time they arrive"
    )
    prediction_rate_hz: float = Field(
        default=2.0, ge=0.0, le=60.0, description="predictions shown per second, while someone subscribes; 0: none"
    )


Transition = Callable[["WorldModelNode", LifecycleState], TransitionCallbackReturn]


def _reported(transition: Callable[["WorldModelNode"], None]) -> Transition:
    """A transition that leaves its reason when it fails: bad input keeps the state, anything else is an error."""

    @wraps(transition)
    def guarded(self: "WorldModelNode", _: LifecycleState) -> TransitionCallbackReturn:
        try:
            transition(self)
        except BadInput as error:
            self.fail(error)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.fail(error)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return guarded


class WorldModelNode(LifecycleNode):
    """Callbacks only store what comes; one worker thread owns the model and answers."""

    def __init__(self) -> None:
        super().__init__("world_model")
        declare_parameters(self, WorldModelParameters)
        watch_parameters(self, WorldModelParameters, lambda: self._server is not None, self._apply)
        self.camera_frame = ""
        self._server: ModelServer | None = None
        self._entities: list[Any] = []  # subscriptions and the timer of the active state
        self._fault = ""  # why the last transition or answer failed
        self._received: Counter[str] = Counter()  # messages since the last diagnostics

        self._info = create_publisher(self, ModelInfo, "~/model_info", LATCHED)
        self._status = create_publisher(self, ContextStatus, "~/context_status", RELIABLE)
        self._diagnostics = create_publisher(self, DiagnosticArray, "/diagnostics", RELIABLE)
        self._answers = Answers(self, self)
        self.create_timer(_DIAGNOSTICS_S, self._report, clock=STEADY)
        if self.get_parameter("autostart").value and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # ---------------------------------------------------------------- lifecycle

    @_reported
    def on_configure(self) -> None:
        parameters = read_parameters(self, WorldModelParameters)
        self.get_logger().info(f"Loading `{parameters.checkpoint}` on {parameters.device}")
        self._settings, self._server = parameters, ModelServer(self, parameters)
        self._fault = ""
        info = self._server.info
        self._info.publish(info)
        self.get_logger().info(f"`{info.name}` for {info.robot}: {info.num_parameters / 1e6:.1f} M parameters")

    @_reported
    def on_activate(self) -> None:
        server, settings = self.configured(), self._settings
        server.start()
        self._fault = ""
        kind, suffix = (Image, "") if settings.image_transport == "raw" else (CompressedImage, "/compressed")
        self._entities = [
            create_subscription(self, kind, f"head_camera/image_raw{suffix}", self._on_image, SENSOR),
            create_subscription(self, JointState, "joint_states", self._on_states, JOINTS_IN),
            *self._answers.begin(settings.prediction_rate_hz),
        ]
        if server.info.action_kind == ModelInfo.COMMANDS:
            self._entities.append(create_subscription(self, JointState, "joint_commands", self._on_command, JOINTS_IN))

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

    def configured(self) -> ModelServer:
        """Raises NotActive when no model is loaded."""
        if self._server is None:
            remedy = "Configure it; if that failed, /diagnostics says why."
            raise NotActive("world_model", expected="a configured node", got="no model loaded", remedy=remedy)
        return self._server

    def active(self) -> ModelServer:
        """Raises NotActive when the node is not active."""
        server = self.configured()
        if not self._entities:
            raise NotActive("world_model", expected="an active node", got="an inactive one", remedy="Activate it.")
        return server

    def fail(self, error: Exception) -> None:
        """Keep the reason for the diagnostics and log it."""
        self._fault = error_text(error)
        trace = "" if isinstance(error, BadInput) else "\n" + "".join(traceback.format_exception(error))
        self.get_logger().error(self._fault + trace)

    def _stop(self) -> None:
        for entity in self._entities:
            (self.destroy_timer if hasattr(entity, "cancel") else self.destroy_subscription)(entity)
        self._entities = []

    def _release(self) -> None:
        self._stop()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _apply(self, parameters: WorldModelParameters) -> None:
        if self._server is not None:
            self._server.set_objective(parameters.objective)

    # ---------------------------------------------------------------- input

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.camera_frame = message.header.frame_id
        self._take("image", lambda context, stamp_ns: context.add_image(stamp_ns, message), message)
        if self._server is not None:
            self._publish_status(self._server)
            stamp_ns = convert.stamp_ns(message.header.stamp)
            if stamp_ns > 0:
                self._server.latencies.add("status", (self.get_clock().now().nanoseconds - stamp_ns) * 1e-9)

    def _on_states(self, message: JointState) -> None:
        self._take("joint_states", lambda context, ns: context.add_states(ns, message.name, message.position), message)

    def _on_command(self, message: JointState) -> None:
        self._take(
            "joint_commands", lambda context, ns: context.add_command(ns, message.name, message.position), message
        )

    def _take(self, stream: str, add: Callable[[Context, int], None], message: Any) -> None:
        if self._server is None:  # a message that was on its way when the subscription ended
            return
        self._received[stream] += 1
        try:
            add(self._server.context, self._stamp(message))
        except BadInput as error:  # counted by the context
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
            header=convert.header(context.newest_stamp_ns or 0, self.camera_frame),
            ready=error is None,
            frames_held=context.frames_held,
            frames_needed=server.info.past_frames,
            **context.counts(),
        )
        if error is not None:
            status.error_code, status.error_msg = error_code(error), str(error)
        self._status.publish(status)

    # ---------------------------------------------------------------- health

    def _report(self) -> None:
        values: dict[str, Any] = {"memory_peak_mb": memory_mb()}
        level, summary = DiagnosticStatus.OK, "ready"
        server = self._server
        if server is None or not self._entities:
            level, summary = DiagnosticStatus.WARN, "unconfigured" if server is None else "inactive"
        else:
            values |= {f"{topic}_rate_hz": count / _DIAGNOSTICS_S for topic, count in self._received.items()}
            values |= server.health(self.get_clock().now().nanoseconds)
            if (error := server.context.readiness_error()) is not None:
                level = DiagnosticStatus.WARN if isinstance(error, NoContext) else DiagnosticStatus.ERROR
                summary = str(error)
        if self._fault:
            level, summary = DiagnosticStatus.ERROR, self._fault
        self._diagnostics.publish(health(self, level, summary, values))
        self._received = Counter(dict.fromkeys(self._received, 0))  # a topic that has fallen silent is told of too
        if self._entities:  # an answer that failed is past; a transition that failed is the state we are in
            self._fault = ""


def main() -> None:
    """Entry of the executable `world_model`."""
    run(WorldModelNode)
