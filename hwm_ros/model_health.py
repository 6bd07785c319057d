"""Reports the state of the world_model node: ~/context_status, /diagnostics, and each fault once in the log."""

from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from hwm_core.errors import BadInput
from hwm_core.live.context import NoContext
from hwm_core.live.health import Announcements, Finding
from hwm_ros import convert
from hwm_ros.diagnostics import diagnostics_message, peak_memory_mb
from hwm_ros.error_codes import error_code
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.model_inputs import ModelInputs
from hwm_ros.msg import ContextStatus, ErrorCode
from hwm_ros.node import STEADY
from hwm_ros.qos import RELIABLE, create_publisher
from hwm_ros.surprise_publisher import SurprisePublisher

_TOPICS = ("image", "joint_states", "joint_commands")
_TICK_S = 0.25
_STATUS_S = 0.5  # without an image
_DIAGNOSTICS_S = 1.0
_DISCOVERY_S = 2.0  # nodes that have just started need about a second to discover each other


class ModelHealth:
    """Publishes a status for every image and at a rate, and diagnostics once per second and at every new fault.

    Args:
        node: publishes.
        model: its model.
        surprise: its surprises.
        fault: why the last transition or request failed; empty: it did not.
    """

    def __init__(
        self, node: LifecycleNode, model: LifecycleModel, surprise: SurprisePublisher, fault: Callable[[], str]
    ) -> None:
        self._node, self._model, self._surprise, self._fault = node, model, surprise, fault
        self._status = create_publisher(node, ContextStatus, "~/context_status", RELIABLE)
        self._diagnostics = create_publisher(node, DiagnosticArray, "/diagnostics", RELIABLE)
        self._inputs: ModelInputs | None = None  # exists while the node is active
        self._announcements = Announcements()
        self._status_at = self._diagnostics_at = self._watched_since = 0.0
        self._busy = 0.0  # requests answered with BUSY at the last diagnostics
        node.create_timer(_TICK_S, self._tick, clock=STEADY)

    def watch(self, inputs: ModelInputs | None) -> None:
        """Report these inputs; None: the node is not active."""
        self._inputs, self._announcements, self._diagnostics_at = inputs, Announcements(), 0.0
        self._watched_since = monotonic()

    def on_image(self, message: Any) -> None:
        """Report the state after an image."""
        self._surprise.on_image()
        started, server = perf_counter(), self._model.server
        self.publish_status()
        if server is None:
            return
        server.latencies.add("publish", perf_counter() - started)
        if (stamp_ns := convert.stamp_ns(message.header.stamp)) > 0:
            server.latencies.add("status", (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9)

    def publish_status(self) -> None:
        """Publish the state of the context."""
        server, inputs = self._model.server, self._inputs
        if server is None or inputs is None:
            return
        context = server.context
        code, text = self._obstacle(inputs)
        rejection, count = inputs.rejection()
        self._status_at = monotonic()
        self._status.publish(
            ContextStatus(
                header=convert.header(context.newest_stamp_ns or 0, server.camera_frame),
                image_stamp=convert.time_of(context.newest_image_ns or 0),
                image_period_s=context.image_period_s,
                ready=code == ErrorCode.NONE,
                compares_images=server.compares_images,
                frames_held=context.frames_held,
                frames_needed=server.info.past_frames,
                error_code=code,
                error_msg=text,
                last_rejection=rejection,
                last_rejection_count=count,
                goal_version=server.goal_version,
                requests_waiting=int(server.requests()["requests_waiting"]),
                **context.counts(),
            )
        )

    def publish_diagnostics(self) -> None:
        """Publish the state of the node."""
        values: dict[str, Any] = {"memory_peak_mb": peak_memory_mb()}
        level, summary = DiagnosticStatus.OK, "ready"
        server, inputs = self._model.server, self._inputs
        if server is None or inputs is None:
            level, summary = DiagnosticStatus.WARN, "unconfigured" if server is None else "inactive"
        else:
            elapsed_s = max(monotonic() - self._diagnostics_at, 1e-3) if self._diagnostics_at else _DIAGNOSTICS_S
            for topic, stream in zip(_TOPICS, inputs.streams, strict=True):
                values[f"{topic}_rate_hz"] = stream.take_count() / elapsed_s
            values |= server.health(self._node.get_clock().now().nanoseconds)
            rejection, count = inputs.rejection()
            values |= {"last_rejection": rejection, "last_rejection_count": count}
            findings = list(self._findings(inputs).values())
            values |= {f"finding {number}": one.text for number, one in enumerate(findings, 1)}
            error = server.context.readiness_error()
            errors = [one.text for one in findings if one.is_error]
            if error is not None and not isinstance(error, NoContext):
                level, summary = DiagnosticStatus.ERROR, str(error)
            elif errors:
                level, summary = DiagnosticStatus.ERROR, errors[0]
            elif findings or error is not None:
                level, summary = DiagnosticStatus.WARN, findings[0].text if findings else str(error)
        if fault := self._fault():
            level, summary = DiagnosticStatus.ERROR, fault
        self._diagnostics_at = monotonic()
        self._diagnostics.publish(diagnostics_message(self._node, level, summary, values))

    def _tick(self) -> None:
        inputs, now = self._inputs, monotonic()
        if inputs is not None:
            inputs.choose_camera()
            if now - self._diagnostics_at >= _DIAGNOSTICS_S and now - self._watched_since >= _DISCOVERY_S:
                inputs.look_around()
            fresh = self._announcements.new(self._findings(inputs))
            for finding in fresh:
                if finding.is_error:
                    self._node.get_logger().error(finding.text)
                else:
                    self._node.get_logger().warning(finding.text)
            if fresh or now - self._status_at >= _STATUS_S:
                self.publish_status()
            if fresh:
                self.publish_diagnostics()
        if monotonic() - self._diagnostics_at >= _DIAGNOSTICS_S:
            self.publish_diagnostics()
            if inputs is not None and self._model.server is not None:
                self._busy = self._model.server.requests()["requests_busy"]

    def _findings(self, inputs: ModelInputs) -> dict[str, Finding]:
        found = inputs.findings()
        if self._model.server is not None:
            requests = self._model.server.requests()
            if (rejected := requests["requests_busy"] - self._busy) > 0:
                text = (
                    f"Too many requests: {rejected:.0f} were answered with BUSY within a second, "
                    f"{requests['requests_waiting']:.0f} wait. Send fewer, or wait for the answers."
                )
                found["busy"] = Finding(text, is_error=False)
        if (surprised := self._surprise.finding()) is not None:
            found["surprise"] = surprised
        return found

    def _obstacle(self, inputs: ModelInputs) -> tuple[int, str]:
        """Error code and message of what keeps the model from predicting the present; 0 and empty: nothing."""
        assert self._model.server is not None
        error = self._model.server.context.readiness_error()
        if error is not None and not isinstance(error, NoContext):
            return error_code(error), str(error)
        # Silence and rejections say more than the frames that are missing because of them.
        streams = [finding for finding in inputs.stream_findings().values() if finding.is_error]
        others = [] if error is None else [finding for finding in inputs.findings().values() if finding.is_error]
        for finding in (*streams, *others):
            cause: BadInput | None = finding.cause
            return (ErrorCode.NO_CONTEXT if cause is None else error_code(cause)), finding.text
        if error is not None:
            hints = " ".join(finding.text for finding in inputs.stream_findings().values())
            return error_code(error), f"{error} {hints}".rstrip()
        if (surprised := self._surprise.finding()) is not None and surprised.is_error:
            return ErrorCode.SURPRISED, surprised.text
        return ErrorCode.NONE, ""
