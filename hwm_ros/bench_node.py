"""Benchmark of the world_model node with 640x480 images at 30 Hz: losses, latency, CPU and memory, idle and busy.

    python -m hwm_ros.bench_node [--seconds 60] [--checkpoint tiny]

The latency runs from an image's stamp to the arrival of its status message, so it includes DDS in both directions.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image, JointState

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.metrics.latency import percentiles_ms
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint
from hwm_ros import convert
from hwm_ros.msg import ActionCandidates, ActionScores, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.processes import isolate, node_process
from hwm_ros.qos import JOINTS_OUT, LATCHED, RELIABLE
from hwm_ros.srv import SetGoal

WIDTH, HEIGHT, RATE_HZ, JOINTS_HZ = 640, 480, 30.0, 100.0
CANDIDATES = 64
_WARM_UP_S = 5.0  # memory is compared from this time on


@dataclass
class Phase:
    """Measurements of one phase: idle, or busy with scoring requests."""

    sent: int = 0  # images
    received: int = 0  # images that the node received
    latencies: list[float] = field(default_factory=list)
    requests: int = 0  # scoring requests answered
    rss_mb: list[float] = field(default_factory=list)  # after the warm-up, and at the end
    cpu_s: float = 0.0  # CPU time of the node
    seconds: float = 0.0

    def row(self, name: str) -> str:
        """One row of the table in Markdown."""
        ms = percentiles_ms(np.array(self.latencies))
        cells = [
            name,
            self.sent,
            self.sent - self.received,
            *(f"{ms[p]:.1f}" for p in ("p50", "p95", "p99")),
            f"{100 * self.cpu_s / self.seconds:.0f}",
            f"{self.rss_mb[0]:.0f} -> {self.rss_mb[-1]:.0f}",
            self.requests,
        ]
        return f"| {' | '.join(map(str, cells))} |"


class Bench:
    """Publishes camera images and joint messages. In the busy phase, sends the next request after every answer."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.node = rclpy.create_node("bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._images = self.node.create_publisher(Image, "head_camera/image_raw", RELIABLE)
        self._states = self.node.create_publisher(JointState, "joint_states", JOINTS_OUT)
        self._commands = self.node.create_publisher(JointState, "joint_commands", JOINTS_OUT)
        self._candidates = self.node.create_publisher(ActionCandidates, "world_model/candidates", RELIABLE)
        self.node.create_subscription(ContextStatus, "world_model/context_status", self._on_status, RELIABLE)
        self.node.create_subscription(ActionScores, "world_model/scores", self._on_scores, RELIABLE)
        self.node.create_subscription(ModelInfo, "world_model/model_info", self._on_info, LATCHED)
        self._rgb = np.random.default_rng(0).integers(0, 256, (16, HEIGHT, WIDTH, 3), dtype=np.uint8)
        self._info: ModelInfo | None = None
        self._status = ContextStatus()
        self._phase = Phase()
        self._busy = False

    def wait_for_node(self) -> None:
        """Wait until the node is active, and set a goal."""
        self._until(lambda: self._info is not None and self._images.get_subscription_count() > 0)
        client = self.node.create_client(SetGoal, "world_model/set_goal")
        self._until(client.service_is_ready)
        goal = convert.image_message(self._rgb[0], convert.header(1))
        self._until(client.call_async(SetGoal.Request(goal=goal)).done)

    def run(self, seconds: float, busy: bool) -> Phase:
        """Publish for `seconds` and measure the node."""
        self._phase, self._busy = Phase(), busy
        received_before = self._status.images_received
        cpu_before = self._cpu_s()
        timers = [
            self.node.create_timer(1 / RATE_HZ, self._publish_image),
            self.node.create_timer(1 / JOINTS_HZ, self._publish_joints),
        ]
        started, requested = time.monotonic(), False
        while (elapsed := time.monotonic() - started) < seconds:
            self._executor.spin_once(timeout_sec=0.01)
            if not self._phase.rss_mb and elapsed > min(_WARM_UP_S, seconds / 2):
                self._phase.rss_mb.append(self._rss_mb())
            if busy and not requested and self._status.ready:
                self._request_scores()
                requested = True
        for timer in timers:
            self.node.destroy_timer(timer)
        self._busy = False
        self._phase.cpu_s, self._phase.seconds = self._cpu_s() - cpu_before, seconds
        self._drain()
        self._phase.rss_mb.append(self._rss_mb())
        self._phase.received = self._status.images_received - received_before
        return self._phase

    def _drain(self) -> None:
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + 120.0
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("The world_model node did not become active. See its log.")
            self._executor.spin_once(timeout_sec=0.1)

    def _publish_image(self) -> None:
        rgb = self._rgb[self._phase.sent % len(self._rgb)]
        self._phase.sent += 1
        self._images.publish(convert.image_message(rgb, convert.header(time.time_ns(), "camera")))

    def _publish_joints(self) -> None:
        assert self._info is not None
        message = convert.joint_message(self._info.joint_names, self._joint_centres(), convert.header(time.time_ns()))
        self._states.publish(message)
        self._commands.publish(message)

    def _joint_centres(self) -> np.ndarray:
        assert self._info is not None
        return (np.asarray(self._info.lower) + np.asarray(self._info.upper)) / 2

    def _on_info(self, message: ModelInfo) -> None:
        self._info = message

    def _on_status(self, message: ContextStatus) -> None:
        self._status = message
        self._phase.latencies.append((time.time_ns() - convert.stamp_ns(message.image_stamp)) * 1e-9)

    def _on_scores(self, message: ActionScores) -> None:
        # On a busy machine, a late image can flush the context; the request then ends with NO_CONTEXT.
        self._phase.requests += message.error_code == ErrorCode.NONE
        if self._busy:
            self._request_scores()

    def _request_scores(self) -> None:
        assert self._info is not None
        shape = (CANDIDATES, self._info.future_frames, len(self._info.joint_names))
        actions = np.broadcast_to(self._joint_centres().astype(np.float32), shape)
        self._candidates.publish(convert.candidates_message(actions, self._info.joint_names, convert.header(0)))

    def _cpu_s(self) -> float:
        user, system = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=DEFAULT, help=CHECKPOINT_HELP)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each phase (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        read_device(arguments.device)  # otherwise only the node's log would report the error
    except BadInput as error:
        parser.error(str(error))
    isolate(1 + os.getpid() % 100)
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _with_camera_aspect(arguments.checkpoint, Path(folder) / "checkpoint")
        parameters = {"checkpoint": checkpoint, "device": arguments.device}
        with node_process("world_model", parameters, Path(folder) / "log.txt") as process:
            bench = Bench(process.pid)
            bench.wait_for_node()
            print("| model | sent | lost | p50 ms | p95 ms | p99 ms | CPU % | memory MB | requests answered |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            for name, busy in (("idle", False), (f"busy: {CANDIDATES} candidates", True)):
                print(bench.run(arguments.seconds, busy).row(name), flush=True)
    rclpy.try_shutdown()


def _with_camera_aspect(name_or_path: str, folder: Path) -> Path:
    """A copy of the checkpoint for 640x480 images: the node rejects images of another aspect ratio."""
    checkpoint = load_checkpoint(name_or_path)
    preprocessing = checkpoint.preprocessing.model_copy(update={"source_aspect": WIDTH / HEIGHT})
    save_checkpoint(folder, dataclasses.replace(checkpoint, preprocessing=preprocessing))
    return folder


if __name__ == "__main__":
    main()
