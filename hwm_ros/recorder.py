"""Records topics to a rosbag2 bag without the rosbag2 package, which has no wheels."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from ament_index_python.packages import get_package_share_directory
from rclpy.node import Node
from rclpy.qos import QoSProfile

from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.writer import BagWriter


class Recorder:
    """Writes the serialised messages of topics to a new bag. The bag appears, complete, when the `with` block ends.

    Args:
        node: receives the messages while it spins.
        path: folder of the new bag.
        topics: message type and QoS of each topic, by full topic name.
    """

    def __init__(self, node: Node, path: Path, topics: Mapping[str, tuple[type, QoSProfile]]) -> None:
        self._node, self._topics = node, topics
        self._writer = BagWriter(path, message_types(_definitions()))

    def __enter__(self) -> "Recorder":
        self._writer.__enter__()
        self._subscriptions = [
            self._node.create_subscription(kind, topic, partial(self._write, topic, _name(kind)), profile, raw=True)
            for topic, (kind, profile) in self._topics.items()
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._writer.__exit__(kind, error, trace)

    def _write(self, topic: str, kind: str, serialised: bytes) -> None:
        self._writer.write_serialized(topic, kind, serialised, time.time_ns())


def _name(kind: type) -> str:
    """`package/msg/Name` of a message class."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def _definitions() -> dict[str, str]:
    """The text of this package's message definitions, by message type."""
    folder = Path(get_package_share_directory("hwm_ros")) / "msg"
    return {f"hwm_ros/msg/{file.stem}": file.read_text() for file in folder.glob("*.msg")}
