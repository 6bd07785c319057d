"""rosbag2 recordings (mcap and sqlite3) read without ROS."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys.store import Typestore

from hwm_core.data.recording.events import CameraFrame, Channel, Cut, Event, JointValues
from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.errors import BadBag

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
        streams = _streams(path, reader, topics)
        there = {(connection.topic, connection.msgtype) for connection in reader.connections}
        cuts = [topics.cuts] if (topics.cuts, CUT_TYPE) in there else []
        for connection, received_ns, data in _messages(path, reader, [*streams, *cuts]):
            if connection.topic in cuts:
                yield Cut()
                continue
            stream = streams[connection.topic]
            yield Event(stream, partial(_load, path, types, data, connection, received_ns, stream, stamps))


def _load(
    path: Path,
    types: Typestore,
    data: bytes,
    connection: Connection,
    received_ns: int,
    stream: Channel,
    stamps: StampSource,
) -> CameraFrame | JointValues:
    message = _deserialise(path, types, data, connection)
    stamp_ns = received_ns if stamps == "receive" else _header_stamp(message, connection.topic)
    if stream == "images":
        return CameraFrame(stamp_ns, decode_image(message))
    return JointValues(stamp_ns, tuple(message.name), message.position)


def bag_topics(path: Path) -> dict[str, str]:
    """{topic: message type} of a bag. Raises BadBag for a damaged one."""
    with _open(path) as reader:
        return {connection.topic: connection.msgtype for connection in reader.connections}


@contextmanager
def _open(path: Path) -> Iterator[Reader]:
    if not path.exists():
        raise BadBag(f"Bag {path}", expected="a rosbag2 folder or file", got="nothing there", remedy="Check the path.")
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
    """SQLite reads a last page that was cut as if it ended in zeros, and a message in it would be altered unnoticed."""
    with file.open("rb") as contents:
        header = contents.read(32)
    if header.startswith(b"SQLite format 3") and len(header) == 32:
        # https://www.sqlite.org/fileformat2.html#the_database_header: page size (1 means 65536), number of pages
        page_size, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        whole = (65536 if page_size == 1 else page_size) * pages
        if file.stat().st_size < whole:
            raise EOFError(f"{file.name} has {file.stat().st_size} of its {whole} bytes")


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Whatever a foreign parser raises on a damaged file, of the many kinds there are, means a bad bag."""
    try:
        yield
    except Exception as error:
        raise BadBag(
            f"Bag {path}",
            expected="a whole rosbag2 recording with its metadata.yaml",
            got=f"{type(error).__name__}: {error}".rstrip("."),
            remedy="If the recorder was killed, `ros2 bag reindex` or `mcap recover` may save the part before the cut.",
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
            remedy="Let the driver stamp its messages, or read with receive times instead of header stamps.",
        )
    return stamp_ns


def _streams(path: Path, reader: Reader, topics: Topics) -> dict[str, Channel]:
    """What each topic that is there is to us. Raises BadBag when pictures or all joint values are missing."""
    there = {connection.topic: connection.msgtype for connection in reader.connections}
    image = _image_topic(path, there, topics)
    streams: dict[str, Channel] = {image: "images"}
    joint_streams: tuple[tuple[str, Channel], ...] = ((topics.joint_states, "states"), (topics.commands, "commands"))
    for topic, stream in joint_streams:
        if topic in there:
            _check_type(path, topic, there, JOINT_TYPES)
            streams[topic] = stream
    if len(streams) == 1:
        raise BadBag(
            f"Bag {path}",
            expected=f"joint values on {topics.joint_states} or {topics.commands}",
            got="neither topic",
            remedy=_others(there, JOINT_TYPES),
        )
    return streams


def _image_topic(path: Path, there: Mapping[str, str], topics: Topics) -> str:
    """The image topic, or, where only its compressed transport was recorded, that."""
    for topic in (topics.image, f"{topics.image}/compressed"):
        if topic in there:
            _check_type(path, topic, there, IMAGE_TYPES)
            return topic
    raise BadBag(
        f"Bag {path}",
        expected=f"pictures on {topics.image}",
        got="no such topic",
        remedy=_others(there, IMAGE_TYPES),
    )


def _check_type(path: Path, topic: str, there: Mapping[str, str], kinds: tuple[str, ...]) -> None:
    if there[topic] not in kinds:
        raise BadBag(
            f"Topic {topic} of bag {path}",
            expected=" or ".join(kinds),
            got=there[topic],
            remedy=_others(there, kinds),
        )


def _others(there: Mapping[str, str], kinds: tuple[str, ...]) -> str:
    names = [topic for topic, kind in there.items() if kind in kinds]
    return f"Topics of that type in it: {', '.join(names) or 'none'}."
