"""A camera with 640x480 images at 30 Hz and a robot with joint states and commands at 200 Hz, in a process of its own.

The process publishes messages that are serialised already, so that it takes little of the processor from the node that
is measured, as the driver of a camera does.
"""

import multiprocessing
import struct
import time
from array import array
from collections.abc import Sequence
from typing import Literal

import numpy as np
import rclpy
from rclpy.publisher import Publisher
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, JointState

from hwm_core.data.recording.image_message import encode_image
from hwm_ros import convert
from hwm_ros.qos import JOINTS_OUT, RELIABLE

WIDTH, HEIGHT, RATE_HZ, JOINTS_HZ = 640, 480, 30.0, 200.0
_STAMP = struct.Struct("<iI")  # of a header, the first field of a message
_STAMP_AT = 4  # after the header of CDR
Transport = Literal["raw", "compressed"]


def noise_images() -> list[np.ndarray]:
    """16 images uint8 [480, 640, 3] of noise."""
    return list(np.random.default_rng(0).integers(0, 256, (16, HEIGHT, WIDTH, 3), dtype=np.uint8))


class RobotLoad:
    """The process; it publishes while it is switched on.

    Args:
        transport: of the images.
        joints: names.
        positions: of the joints, which stand still.
    """

    def __init__(self, transport: Transport, joints: Sequence[str], positions: Sequence[float]) -> None:
        context = multiprocessing.get_context("spawn")
        self._on, self._sent = context.Event(), context.Value("q", 0)
        self._process = context.Process(
            target=_publish, args=(transport, tuple(joints), tuple(positions), self._on, self._sent), daemon=True
        )
        self._process.start()

    @property
    def sent(self) -> int:
        """Images so far."""
        return int(self._sent.value)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    def switch(self, on: bool) -> None:
        """Let it publish, or pause."""
        (self._on.set if on else self._on.clear)()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()


def _publish(transport: Transport, joints: Sequence[str], positions: Sequence[float], on, sent) -> None:  # type: ignore[no-untyped-def]  # multiprocessing's own types are private
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # SIGTERM ends the process
    node = rclpy.create_node("robot_load")
    topic, kind = {
        "raw": ("head_camera/image_raw", Image),
        "compressed": ("head_camera/image_raw/compressed", CompressedImage),
    }[transport]
    camera = node.create_publisher(kind, topic, RELIABLE)
    robot = [node.create_publisher(JointState, name, JOINTS_OUT) for name in ("joint_states", "joint_commands")]
    header = convert.header(1, "camera")
    images = [
        _serialised(
            convert.image_message(one, header)
            if transport == "raw"
            else CompressedImage(header=header, format="jpeg", data=array("B", encode_image(one, "jpeg")))
        )
        for one in noise_images()
    ]
    posture = _serialised(convert.joint_message(joints, np.asarray(positions), header))
    while not camera.get_subscription_count():
        time.sleep(0.05)
    client = multiprocessing.parent_process()
    while client is not None and client.is_alive():
        on.wait(1.0)
        next_image = next_joints = time.monotonic()
        while on.is_set() and client.is_alive():
            if (now := time.monotonic()) >= next_joints:
                next_joints += 1 / JOINTS_HZ
                for publisher in robot:
                    _send(publisher, posture)
            if now >= next_image:
                next_image += 1 / RATE_HZ
                _send(camera, images[sent.value % len(images)])
                sent.value += 1
            time.sleep(max(0.0, min(next_image, next_joints) - time.monotonic()))


def _serialised(message: Image | CompressedImage | JointState) -> bytearray:
    return bytearray(serialize_message(message))


def _send(publisher: Publisher, message: bytearray) -> None:
    """Publish a serialised message with the stamp of now."""
    _STAMP.pack_into(message, _STAMP_AT, *divmod(time.time_ns(), 10**9))
    publisher.publish(bytes(message))
