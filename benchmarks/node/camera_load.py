"""A camera with 640x480 images and a robot with joint states, which load a world_model node and listen to it."""

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.msg import ActionCandidates, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import ScoreActions, SetGoal
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image, JointState

from hwm_core.data.recording.image_message import encode_image
from hwm_ros import convert
from hwm_ros.qos import JOINTS_OUT, LATCHED, RELIABLE, REQUESTS

WIDTH, HEIGHT, RATE_HZ, JOINTS_HZ, CANDIDATES = 640, 480, 30.0, 200.0, 64
_START_S = 240.0
Transport = Literal["raw", "compressed"]


@dataclass
class Measured:
    """What the node answered, in seconds."""

    sent: int = 0  # images
    received: int = 0  # images that the node received
    ages: list[float] = field(default_factory=list)  # from an image's stamp to its status
    score_ages: list[float] = field(default_factory=list)  # from the newest frame's stamp to the scores
    overheads: list[float] = field(default_factory=list)  # of a service call, beside the model
    failed: int = 0  # requests that ended with an error


class CameraLoad:
    """Publishes images of noise at 30 Hz and joint states and commands at 200 Hz.

    Args:
        transport: of the images.
    """

    def __init__(self, transport: Transport = "raw") -> None:
        self.node = rclpy.create_node("camera_load")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        topic = "head_camera/image_raw"
        self._images = (
            self.node.create_publisher(Image, topic, RELIABLE)
            if transport == "raw"
            else self.node.create_publisher(CompressedImage, f"{topic}/compressed", RELIABLE)
        )
        self._states = self.node.create_publisher(JointState, "joint_states", JOINTS_OUT)
        self._commands = self.node.create_publisher(JointState, "joint_commands", JOINTS_OUT)
        self.node.create_subscription(ContextStatus, "world_model/context_status", self._on_status, RELIABLE)
        self.node.create_subscription(ModelInfo, "world_model/model_info", self._on_info, LATCHED)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, RELIABLE)
        self._score = self.node.create_client(ScoreActions, "world_model/score_actions", qos_profile=REQUESTS)
        rgb = np.random.default_rng(0).integers(0, 256, (16, HEIGHT, WIDTH, 3), dtype=np.uint8)
        self._goal = convert.image_message(rgb[0], convert.header(1))
        self._messages: list[Image | CompressedImage] = [
            convert.image_message(one, convert.header(1))
            if transport == "raw"
            else CompressedImage(format="jpeg", data=array("B", encode_image(one, "jpeg")))
            for one in rgb
        ]
        self._info: ModelInfo | None = None
        self._status = ContextStatus()
        self._stages: dict[str, float] = {}  # of the newest diagnostics
        self.measured = Measured()
        self._asking = False

    def close(self) -> None:
        """End the node."""
        self._executor.shutdown()
        self.node.destroy_node()

    def wait_for_node(self) -> None:
        """Wait until the node is active, and set a goal. Raises TimeoutError."""
        self._until(lambda: self._info is not None and self._images.get_subscription_count() > 0)
        client = self.node.create_client(SetGoal, "world_model/set_goal")
        self._until(client.service_is_ready)
        self._until(client.call_async(SetGoal.Request(goal=self._goal)).done)

    def run(self, seconds: float, ask: bool, every: Callable[[float], None] = lambda _: None) -> Measured:
        """Publish, and listen.

        Args:
            seconds: how long.
            ask: send a request for scores, and the next one after every answer.
            every: called about 100 times per second with the seconds since the start.
        """
        self.measured, before = Measured(), self._status.images_received
        timers = [
            self.node.create_timer(1 / RATE_HZ, self._publish_image),
            self.node.create_timer(1 / JOINTS_HZ, self._publish_joints),
        ]
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            self._executor.spin_once(timeout_sec=0.01)
            every(elapsed)
            if ask and not self._asking and self._status.ready:
                self._ask()
        for timer in timers:
            self.node.destroy_timer(timer)
        deadline = time.monotonic() + 2.0  # for what is on its way
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)
        self.measured.received = self._status.images_received - before
        return self.measured

    def stages(self) -> dict[str, dict[str, float]]:
        """{stage: {"p50", "p95", "p99"}} in ms of the node's newest diagnostics, over its last 1000 events."""
        found: dict[str, dict[str, float]] = {}
        for key, value in self._stages.items():
            stage, percentile, _ = key.rsplit("_", 2)
            found.setdefault(stage, {})[percentile] = value
        return found

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _START_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("The world_model node did not become active. See its log.")
            self._executor.spin_once(timeout_sec=0.1)

    def _publish_image(self) -> None:
        message = self._messages[self.measured.sent % len(self._messages)]
        self.measured.sent += 1
        message.header = convert.header(time.time_ns(), "camera")
        self._images.publish(message)

    def _publish_joints(self) -> None:
        assert self._info is not None
        message = convert.joint_message(self._info.joint_names, self._centres(), convert.header(time.time_ns()))
        self._states.publish(message)
        self._commands.publish(message)

    def _centres(self) -> np.ndarray:
        assert self._info is not None
        return (np.asarray(self._info.lower) + np.asarray(self._info.upper)) / 2

    def _ask(self) -> None:
        assert self._info is not None
        shape = (CANDIDATES, self._info.future_frames, len(self._info.joint_names))
        actions = np.broadcast_to(self._centres().astype(np.float32), shape)
        candidates: ActionCandidates = convert.candidates_message(actions, self._info.joint_names, convert.header(0))
        asked = time.monotonic()
        self._asking = True

        def answered(future: Any) -> None:
            self._asking = False
            scores = future.result().scores
            if scores.error_code != ErrorCode.NONE:
                self.measured.failed += 1
                return
            model_ms = scores.encode_ms + scores.rollout_ms + scores.cost_ms + scores.uncertainty_ms
            self.measured.overheads.append(time.monotonic() - asked - 1e-3 * model_ms)
            self.measured.score_ages.append((time.time_ns() - convert.stamp_ns(scores.header.stamp)) * 1e-9)

        self._score.call_async(ScoreActions.Request(candidates=candidates)).add_done_callback(answered)

    def _on_info(self, message: ModelInfo) -> None:
        self._info = message

    def _on_status(self, message: ContextStatus) -> None:
        if message.images_received > self._status.images_received:  # not a status by the clock
            self.measured.ages.append((time.time_ns() - convert.stamp_ns(message.image_stamp)) * 1e-9)
        self._status = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "world_model":
                self._stages = {v.key: float(v.value) for v in status.values if v.key.endswith("_ms") and "_p" in v.key}
