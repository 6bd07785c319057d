"""A client that loads a world_model node with a robot's messages and with requests, and listens to it."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.msg import ActionCandidates, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import ScoreActions, SetGoal
from rclpy.executors import SingleThreadedExecutor

from benchmarks.node.robot_load import RobotLoad, Transport, noise_images
from hwm_ros import convert
from hwm_ros.qos import LATCHED, RELIABLE, REQUESTS

CANDIDATES = 64
_START_S = 240.0


@dataclass
class Measured:
    """What the node answered, in seconds."""

    sent: int = 0  # images
    received: int = 0  # images that the node received
    ages: list[float] = field(default_factory=list)  # from an image's stamp to its status
    score_ages: list[float] = field(default_factory=list)  # from the newest frame's stamp to the scores
    overheads: list[float] = field(default_factory=list)  # of a service call, beside the model
    failed: int = 0  # requests that ended with an error


class LoadingClient:
    """Sends requests to a node that gets images of noise at 30 Hz and joint states and commands at 200 Hz.

    Args:
        transport: of the images.
    """

    def __init__(self, transport: Transport = "raw") -> None:
        self.node = rclpy.create_node("loading_client")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.node.create_subscription(ContextStatus, "world_model/context_status", self._on_status, RELIABLE)
        self.node.create_subscription(ModelInfo, "world_model/model_info", self._on_info, LATCHED)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, RELIABLE)
        self._score = self.node.create_client(ScoreActions, "world_model/score_actions", qos_profile=REQUESTS)
        self._transport: Transport = transport
        self._robot: RobotLoad | None = None
        self._info: ModelInfo | None = None
        self._status = ContextStatus()
        self._stages: dict[str, float] = {}  # of the newest diagnostics
        self.measured = Measured()
        self._asking = False

    def close(self) -> None:
        """End the node, and the robot's process."""
        if self._robot is not None:
            self._robot.close()
        self._executor.shutdown()
        self.node.destroy_node()

    def start(self) -> None:
        """Wait until the node is active, set a goal, and start the robot's process. Raises TimeoutError."""
        self._until(lambda: self._info is not None)
        client = self.node.create_client(SetGoal, "world_model/set_goal")
        self._until(client.service_is_ready)
        goal = convert.image_message(noise_images()[0], convert.header(1))
        self._until(client.call_async(SetGoal.Request(goal=goal)).done)
        assert self._info is not None
        self._robot = RobotLoad(self._transport, self._info.joint_names, self._centres().tolist())
        self._robot.switch(True)
        self._until(lambda: self._status.ready)
        self._robot.switch(False)
        gc.collect()
        gc.freeze()  # as the nodes do: its pauses would count as theirs

    def run(self, seconds: float, ask: bool) -> Measured:
        """Load the node, and listen.

        Args:
            seconds: how long.
            ask: send a request for scores, and the next one after every answer.
        """
        assert self._robot is not None
        self._listen(2.0)  # for what is on its way
        self.measured, received, sent = Measured(), self._status.images_received, self._robot.sent
        self._robot.switch(True)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.01)
            if ask and not self._asking and self._status.ready:
                self._ask()
        self._robot.switch(False)
        self._listen(2.0)
        self.measured.sent, self.measured.received = self._robot.sent - sent, self._status.images_received - received
        return self.measured

    def stages(self) -> dict[str, dict[str, float]]:
        """{stage: {"p50", "p95", "p99"}} in ms of the node's newest diagnostics, over its last 1000 events."""
        found: dict[str, dict[str, float]] = {}
        for key, value in self._stages.items():
            stage, percentile, _ = key.rsplit("_", 2)
            found.setdefault(stage, {})[percentile] = value
        return found

    def _listen(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _START_S
        while not condition():
            if time.monotonic() > deadline or (self._robot is not None and self._robot.ended):
                raise TimeoutError("The world_model node is not ready, or the robot's process has ended. See the log.")
            self._executor.spin_once(timeout_sec=0.1)

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
