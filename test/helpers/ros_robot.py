"""A robot in the test process: publishes camera images and joint messages, and receives the node's messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.msg import ActionCandidates, ActionScores, ContextStatus
from ros_harness import Peer, process
from sensor_msgs.msg import Image, JointState
from untrained import JOINTS

from hwm_ros import convert

FRAME_NS = 1_000_000_000 // 30
START_NS = 5_000_000_000
# Every message of `tick` counts, so none may be lost: not in a full queue, and not before DDS has connected both sides.
ALL_ARRIVE = {
    f"qos_overrides.{topic}.subscription.reliability": "reliable"
    for topic in ("/head_camera/image_raw", "/joint_states", "/joint_commands")
}
GOAL = convert.image_message(np.full((32, 32, 3), 200, np.uint8), convert.header(1))


class Robot(Peer):
    """Publishes camera images and joint messages like a robot, and receives the node's messages."""

    def __init__(self) -> None:
        super().__init__()
        self.image = self.node.create_publisher(Image, "/head_camera/image_raw", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 50)
        self.commands = self.node.create_publisher(JointState, "/joint_commands", 50)
        self.subscribe(ContextStatus, "/world_model/context_status")
        self.subscribe(ActionScores, "/world_model/scores")
        self.subscribe(DiagnosticArray, "/diagnostics")
        self.stamp_ns = START_NS
        self.log = Path()

    def wait_for_node(self) -> None:
        publishers = (self.image, self.states, self.commands)
        self.until(lambda: all(p.get_subscription_count() for p in publishers), "the node's subscriptions")
        self.until(lambda: self.node.count_publishers("/world_model/context_status"), "the node's status")

    def tick(
        self,
        image: Image | None = None,
        joints: tuple[str, ...] = JOINTS,
        position: float = 0.0,
        commands: bool = True,
    ) -> ContextStatus:
        """Publish one frame with its state and command; return the status of this frame."""
        head = convert.header(self.stamp_ns, "camera")
        self.states.publish(convert.joint_message(joints, np.full(len(joints), position), head))
        before = convert.header(self.stamp_ns - 1)
        if commands:
            self.commands.publish(convert.joint_message(JOINTS, np.zeros(3), before))
        statuses = self.received["/world_model/context_status"]
        answered, known = len(statuses), statuses[-1].images_received if statuses else 0
        self.image.publish(camera_image(self.stamp_ns) if image is None else image)
        # Statuses come at a rate too: this image's is the first one that counts it.
        self.until(lambda: any(s.images_received not in (0, known) for s in statuses[answered:]), "a status per image")
        self.stamp_ns += FRAME_NS
        return self.received["/world_model/context_status"][-1]

    def fill(self) -> ContextStatus:
        """Publish frames until the context is ready."""
        for _ in range(30):
            status = self.tick()
            if status.ready:
                return status
        raise AssertionError(f"never ready: {status.error_msg}")


@contextmanager
def robot_of(folder: Path, checkpoint: Path, **parameters: object) -> Iterator[Robot]:
    """The robot of an active world_model node in a process of its own, which receives all messages."""
    peer = Robot()
    peer.log = folder / "log.txt"
    try:
        with process("world_model", peer.log, checkpoint=checkpoint, dtype="float32", **ALL_ARRIVE, **parameters):
            peer.wait_for_node()
            yield peer
    finally:
        peer.close()


def camera_image(stamp_ns: int, **changes: object) -> Image:
    """An image of noise; `changes` set fields of the message."""
    rgb = np.random.default_rng(stamp_ns % 1000).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    message = convert.image_message(rgb, convert.header(stamp_ns, "camera"))
    for field, value in changes.items():
        setattr(message, field, value)
    return message


def some_candidates(
    count: int = 4, frames: int = 24, names: tuple[str, ...] = JOINTS, request_id: int = 0
) -> ActionCandidates:
    """Random candidates, always the same."""
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (count, frames, len(names))).astype(np.float32)
    return convert.candidates_message(values, names, convert.header(0), request_id)
