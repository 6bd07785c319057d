"""Reads rosbag2 recordings (mcap and sqlite3) without ROS."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rosbags.interfaces import Connection, QosDurability
from rosbags.rosbag2 import Reader
from rosbags.typesys.store import Typestore

from hwm_core.data.recording.events import CameraFrame, Channel, Cut, Event, JointValues
from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.errors import BadBag, nearest_path

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
JOINT_TYPES = ("sensor_msgs/msg/JointState",)
CUT_TYPE = "std_msgs/msg/Empty"
StampSource = Literal["header", "receive"]


def bag_events(path: Path, topics: Topics, stamps: StampSource = "header") -> Iterator[Event | Cut]:
    """Yield the messages in order of arrival.

    Args:
        path: rosbag2 folder, or one .mcap or .db3 file.
        topics: topics to read; one of the two joint topics may be absent, and so may the topic of cuts.
        stamps: time of a message: the stamp in its header, or the time the recorder received it.

    Raises:
        BadBag: the bag is truncated, malformed, or lacks a topic. A fault in one message is raised by its `load`.
    """
    types = message_types()
    with _open(path) as reader:
        recorded = _topic_types(reader)
        channels = _channels(path, recorded, topics)
        cuts = [topics.cuts] if recorded.get(topics.cuts) == CUT_TYPE else []
        for connection, received_ns, data in _messages(path, reader, [*channels, *cuts]):
            if connection.topic in cuts:
                yield Cut()
                continue
            channel = channels[connection.topic]
            yield Event(channel, partial(_load, path, types, data, connection, received_ns, channel, stamps))


def bag_topics(path: Path) -> dict[str, str]:
    """{topic: message type} of a bag. Raises BadBag for a damaged bag."""
    with _open(path) as reader:
        return _topic_types(reader)


@dataclass(frozen=True)
class SerializedMessage:
    """One message of any type, as it was recorded."""

    topic: str
    message_type: str  # such as sensor_msgs/msg/Image
    received_ns: int  # when the recorder received it
    data: bytes  # CDR
    latched: bool  # its publisher offered transient-local durability: late subscribers get the last message


def serialized_messages(path: Path) -> Iterator[SerializedMessage]:
    """Yield every message of every topic, in order of arrival. Raises BadBag for a damaged bag."""
    with _open(path) as reader:
        latched = {connection.id: _is_latched(connection) for connection in reader.connections}
        topics = [connection.topic for connection in reader.connections]
        for connection, received_ns, data in _messages(path, reader, topics):
            yield SerializedMessage(
                connection.topic, connection.msgtype, received_ns, bytes(data), latched[connection.id]
            )


def _is_latched(connection: Connection) -> bool:
    profiles = getattr(connection.ext, "offered_qos_profiles", [])
    return any(profile.durability is QosDurability.TRANSIENT_LOCAL for profile in profiles)


def _load(
    path: Path,
    types: Typestore,
    data: bytes,
    connection: Connection,
    received_ns: int,
    channel: Channel,
    stamps: StampSource,
) -> CameraFrame | JointValues:
    message = _deserialise(path, types, data, connection)
    stamp_ns = received_ns if stamps == "receive" else _header_stamp(message, connection.topic)
    if channel == "images":
        return CameraFrame(stamp_ns, decode_image(message))
    return JointValues(stamp_ns, tuple(message.name), message.position)


@contextmanager
def _open(path: Path) -> Iterator[Reader]:
    if not path.exists():
        raise BadBag(
            f"Bag {path}",
            expected="a rosbag2 folder or file",
            got="nothing there",
            remedy=nearest_path(path, "Check the path."),
        )
    with _parsing(path):
        for file in path.glob("*.db3") if path.is_dir() else [path]:
            _reject_short_database(file)
        reader = Reader(path)
        reader.open()
    try:
        yield reader
    finally:
        reader.close()


def _reject_short_database(file: Path) -> None:
    """SQLite pads a truncated last page with zeros, which would alter a message in it without an error."""
    with file.open("rb") as contents:
        header = contents.read(32)
    if header.startswith(b"SQLite format 3") and len(header) == 32:
        # https://www.sqlite.org/fileformat2.html#the_database_header: page size (1 means 65536), number of pages
        page_size, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        whole = (65536 if page_size == 1 else page_size) * pages
        if file.stat().st_size < whole:
            raise EOFError(f"{file.name} has {file.stat().st_size} of {whole} bytes")


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Turn every exception into BadBag: on damaged files, the parsers raise exceptions of many types."""
    try:
        yield
    except Exception as error:
        raise BadBag(
            f"Bag {path}",
            expected="a complete rosbag2 recording with its metadata.yaml",
            got=f"{type(error).__name__}: {error}".rstrip("."),
            remedy="It is truncated or damaged. After a killed recorder, try `ros2 bag reindex` or `mcap recover`.",
        ) from error


def _messages(path: Path, reader: Reader, topics: Iterable[str]) -> Iterator[tuple[Connection, int, bytes]]:
    wanted = set(topics)
    messages = reader.messages([connection for connection in reader.connections if connection.topic in wanted])
    while True:
        with _parsing(path):
            message = next(messages, None)
        if message is None:
            return
        yield message


def _deserialise(path: Path, types: Typestore, data: bytes, connection: Connection) -> Any:
    with _parsing(path):
        return types.deserialize_cdr(data, connection.msgtype)


def _header_stamp(message: Any, topic: str) -> int:
    stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
    if stamp_ns <= 0:
        raise BadBag(
            f"Message on {topic}",
            expected="a header stamp after 0",
            got=f"{stamp_ns} ns",
            remedy="Make the driver stamp its messages, or read with receive times instead of header stamps.",
        )
    return stamp_ns


def _topic_types(reader: Reader) -> dict[str, str]:
    return {connection.topic: connection.msgtype for connection in reader.connections}


def _channels(path: Path, recorded: Mapping[str, str], topics: Topics) -> dict[str, Channel]:
    """{recorded topic: channel}. Raises BadBag where the images, or both joint topics, are missing."""
    channels: dict[str, Channel] = {_image_topic(path, recorded, topics): "images"}
    joint_topics: tuple[tuple[str, Channel], ...] = ((topics.joint_states, "states"), (topics.commands, "commands"))
    for topic, channel in joint_topics:
        if topic in recorded:
            _require_type(path, topic, recorded, JOINT_TYPES)
            channels[topic] = channel
    if len(channels) == 1:
        raise BadBag(
            f"Bag {path}",
            expected=f"joint values on {topics.joint_states} or {topics.commands}",
            got="neither topic",
            remedy=_alternatives(recorded, JOINT_TYPES),
        )
    return channels


def _image_topic(path: Path, recorded: Mapping[str, str], topics: Topics) -> str:
    """The image topic, or its compressed transport where only this was recorded."""
    for topic in (topics.image, f"{topics.image}/compressed"):
        if topic in recorded:
            _require_type(path, topic, recorded, IMAGE_TYPES)
            return topic
    raise BadBag(
        f"Bag {path}",
        expected=f"images on {topics.image}",
        got="no such topic",
        remedy=_alternatives(recorded, IMAGE_TYPES),
    )


def _require_type(path: Path, topic: str, recorded: Mapping[str, str], types: tuple[str, ...]) -> None:
    if recorded[topic] not in types:
        raise BadBag(
            f"Topic {topic} of bag {path}",
            expected=" or ".join(types),
            got=recorded[topic],
            remedy=_alternatives(recorded, types),
        )


def _alternatives(recorded: Mapping[str, str], types: tuple[str, ...]) -> str:
    topics = [topic for topic, kind in recorded.items() if kind in types]
    return f"Topics of this type in the bag: {', '.join(topics) or 'none'}."
