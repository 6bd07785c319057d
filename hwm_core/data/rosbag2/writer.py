"""Writes rosbag2 recordings (mcap) without ROS."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from hwm_core.data.recording.image_message import encode_image
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.errors import BadBag, BadImage

ImageFormat = Literal["raw", "jpeg", "png"]
# The newest metadata version that Humble reads. Jazzy and later read it too.
_METADATA_VERSION: Literal[8] = 8
_MOST_NS = 2**31 * 1_000_000_000  # builtin_interfaces/Time has 31 bits of seconds


class BagWriter:
    """Writes one rosbag2 (mcap) folder. It appears whole at the end of the `with` block, or not at all.

    Args:
        path: folder to create.
        types: message types, from `message_types`.
    """

    def __init__(self, path: str | Path, types: Typestore | None = None) -> None:
        self.path = Path(path)
        self.types = types or message_types()
        # rosbag2 names the file inside after its folder. So the folder gets its final name at once, inside a temporary
        # parent. The next writer of the same path removes what a killed writer left there.
        self._partial = self.path.with_name(f".{self.path.name}.partial")
        self._writer: Writer  # open inside the `with` block
        self._connections: dict[tuple[str, str], Connection] = {}

    def __enter__(self) -> "BagWriter":
        if self.path.exists():
            raise BadBag(
                f"Bag {self.path}",
                expected="a new path",
                got="an existing path",
                remedy="Choose another path, or remove it.",
            )
        shutil.rmtree(self._partial, ignore_errors=True)
        inside = self._partial / self.path.name
        self._writer = Writer(inside, version=_METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._writer.__exit__(kind, error, trace)
            if kind is None:
                (self._partial / self.path.name).rename(self.path)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def write_image(
        self,
        topic: str,
        stamp_ns: int,
        rgb: NDArray[np.uint8],
        image_format: ImageFormat = "raw",
        frame_id: str = "",
        received_ns: int | None = None,
    ) -> None:
        """Write an RGB image, uint8 [H, W, 3], as Image (rgb8) or CompressedImage.

        Args:
            topic: of the message.
            stamp_ns: of its header.
            rgb: the image.
            image_format: raw writes an Image.
            frame_id: of its header.
            received_ns: when the message arrived; None: at its stamp.

        Raises:
            BadImage: `rgb` has another type or shape.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise BadImage(
                "Image", expected="uint8 [H, W, 3]", got=f"{rgb.dtype} {list(rgb.shape)}", remedy="Pass RGB bytes."
            )
        header = self._header(stamp_ns, frame_id)
        if image_format == "raw":
            height, width = rgb.shape[:2]
            message = self._new(
                "sensor_msgs/msg/Image",
                header=header,
                height=height,
                width=width,
                encoding="rgb8",
                is_bigendian=0,
                step=3 * width,
                data=np.ascontiguousarray(rgb).reshape(-1),
            )
        else:
            data = np.frombuffer(encode_image(rgb, image_format), dtype=np.uint8)
            message = self._new("sensor_msgs/msg/CompressedImage", header=header, format=image_format, data=data)
        self.write(topic, message, stamp_ns if received_ns is None else received_ns)

    def write_joints(
        self,
        topic: str,
        stamp_ns: int,
        names: Sequence[str],
        positions: Sequence[float] | NDArray,
        velocities: Sequence[float] | NDArray = (),
        frame_id: str = "",
        received_ns: int | None = None,
    ) -> None:
        """Write one sensor_msgs/JointState: measured positions, or commanded positions on the command topic."""
        message = self._new(
            "sensor_msgs/msg/JointState",
            header=self._header(stamp_ns, frame_id),
            name=list(names),
            position=np.ascontiguousarray(positions, dtype=np.float64),  # a column of a table is not contiguous
            velocity=np.ascontiguousarray(velocities, dtype=np.float64),
            effort=np.empty(0),
        )
        self.write(topic, message, stamp_ns if received_ns is None else received_ns)

    def write_cut(self, topic: str, received_ns: int) -> None:
        """Write a std_msgs/Empty: messages received after it belong to another take."""
        self.write(topic, self._new("std_msgs/msg/Empty", structure_needs_at_least_one_member=0), received_ns)

    def write(self, topic: str, message: Any, received_ns: int) -> None:
        """Write any message of `self.types`."""
        kind = message.__msgtype__
        self.write_serialized(topic, kind, self.types.serialize_cdr(message, kind), received_ns)

    def write_serialized(self, topic: str, kind: str, data: bytes | memoryview, received_ns: int) -> None:
        """Write the CDR bytes of a message of type `kind` (package/msg/Name), as rclpy serialises them."""
        _require_time(topic, received_ns)
        key = (topic, kind)
        if key not in self._connections:
            self._connections[key] = self._writer.add_connection(topic, kind, typestore=self.types)
        self._writer.write(self._connections[key], received_ns, data)

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        _require_time("header", stamp_ns)
        seconds, nanoseconds = divmod(int(stamp_ns), 1_000_000_000)
        return self._new(
            "std_msgs/msg/Header",
            stamp=self._new("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds),
            frame_id=frame_id,
        )

    def _new(self, kind: str, **fields: Any) -> Any:
        return self.types.types[kind](**fields)


def _require_time(what: str, stamp_ns: int) -> None:
    """Raises BadBag for a time that no ROS message, and no file of a bag, can hold."""
    if not 0 <= stamp_ns < _MOST_NS:
        raise BadBag(
            f"Time of a message ({what})",
            expected=f"0 to {_MOST_NS / 1e9:.0f} s since 1970, as ROS stores times",
            got=f"{stamp_ns / 1e9:.3f} s",
            remedy="Correct the times of the recording, or leave it out.",
        )
