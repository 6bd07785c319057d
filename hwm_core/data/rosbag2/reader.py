"""Reads rosbag2 recordings (mcap and sqlite3) without ROS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rosbags.typesys.store import Typestore

from hwm_core.data.recording.events import AnyEvent, CameraFrame, Channel, Cut, Event, JointValues, Notice, failed_event
from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.recording.packet_decoder import unreadable_packets
from hwm_core.data.rosbag2.bag import CDR, Bag, BagMessage
from hwm_core.data.rosbag2.bag_file import Connection
from hwm_core.data.rosbag2.mcap_records import MAGIC
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.metadata import METADATA, is_bag_file
from hwm_core.data.rosbag2.sqlite_file import SQLITE_MAGIC
from hwm_core.data.rosbag2.stamps import HEADER_STAMPS, ChannelStamps, Stamps, StampSource, as_stamps
from hwm_core.data.rosbag2.topic_choice import absent_topics, choose_topics
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.trajectories import TRAJECTORY, TrajectoryEvents
from hwm_core.data.rosbag2.video_packets import DEFINITIONS, PACKET_TYPES, PacketEvents
from hwm_core.errors import BadBag, BadInput, nearest_path
from hwm_core.io.named_path import path_kind

CUT_TYPE = "std_msgs/msg/Empty"
_MOST_TURNS = 2  # a camera that was started again follows another publisher once


def bag_events(
    path: Path, topics: Topics, stamps: Stamps | StampSource = HEADER_STAMPS, images: bool = True
) -> Iterator[AnyEvent]:
    """Yield the images, joint states, commands and cuts of a bag, in order of arrival; faults of the bag come last.

    Args:
        path: rosbag2 folder, or one .mcap or .db3 file.
        topics: topics to read; one of the two joint topics may be absent, and so may the topic of cuts.
        stamps: times of the messages; one source means that of all channels.
        images: whether to read the images; a bag without them is an error then.

    Raises:
        NoImages: there is no topic of images.
        BadBag: the bag is truncated, malformed, or lacks a topic. A fault in one message is raised by its `load`.
    """
    types, times = message_types(DEFINITIONS), as_stamps(stamps)
    with open_bag(path) as bag:
        chosen = choose_topics(path, bag, topics, images)
        channels = {one.topic: one.channel for one in chosen}
        trajectories = {one.topic: TrajectoryEvents(times.commands) for one in chosen if one.kind == TRAJECTORY}
        packets = {one.topic: PacketEvents(one.topic) for one in chosen if one.kind in PACKET_TYPES}
        wanted = {one.topic: (one.kind,) for one in chosen}
        if CUT_TYPE in bag.topic_types().get(topics.cuts, ()):
            wanted[topics.cuts] = (CUT_TYPE,)
        for message in parsed_messages(path, bag.messages(wanted)):
            topic = message.connection.topic
            if topic == topics.cuts:
                for one in trajectories.values():
                    yield from one.finish()
                yield Cut()
                continue
            if topic in trajectories:
                yield from _followed(types, message, trajectories[topic])
                continue
            if topic in packets:  # each image needs the packets before it, so they are decoded in order
                yield from _decoded(types, message, times.images, packets[topic])
            else:
                yield Event(channels[topic], partial(_load, types, message, channels[topic], times))
        held: list[PacketEvents | TrajectoryEvents] = [*packets.values(), *trajectories.values()]
        for rest in held:
            yield from rest.finish()
        for topic, channel in channels.items():
            if channel == "images" and bag.turns[topic] > _MOST_TURNS:
                yield Notice("fault", f"images on {topic} come from several publishers in turns: a mixture of cameras")
        for text in bag.shortfalls(wanted):
            yield Notice("fault", text)
        for text in bag.left_out(wanted):
            yield Notice("note", text)
        for topic, encoding in sorted(bag.foreign().items()):
            yield Notice("note", f"topic {topic} is left out: its messages are in {encoding}, not in {CDR}")
        for text in absent_topics(bag, topics):
            yield Notice("note", text)


def bag_topics(path: Path) -> dict[str, tuple[str, ...]]:
    """{topic: message types} of a bag. Raises BadBag for a damaged bag."""
    with open_bag(path) as bag:
        return bag.topic_types()


def bag_connections(path: Path) -> tuple[Connection, ...]:
    """The recorded publishers of a bag: topic, message type, and whether it is latched. Raises BadBag."""
    with open_bag(path) as bag:
        return tuple(bag.connections)


@dataclass(frozen=True)
class SerializedMessage:
    """One message of any type, as it was recorded."""

    topic: str
    message_type: str  # such as sensor_msgs/msg/Image
    received_ns: int  # when the recorder received it
    data: bytes  # CDR
    latched: bool  # its publisher offered transient-local durability: late subscribers get the last message


def serialized_messages(path: Path) -> Iterator[SerializedMessage]:
    """Yield every CDR message of every topic, in order of arrival. Raises BadBag for a damaged or incomplete bag."""
    with open_bag(path) as bag:
        topics: dict[str, set[str]] = {}
        for one in bag.connections:
            topics.setdefault(one.topic, set()).add(one.message_type)
        for message in parsed_messages(path, bag.messages(topics)):
            one = message.connection
            yield SerializedMessage(one.topic, one.message_type, message.received_ns, bytes(message.data), one.latched)
        if faults := bag.shortfalls(topics):
            raise BadBag(
                f"Bag {path}",
                expected="all messages that it says it has",
                got="; ".join(faults),
                remedy="All others were read. `ros2 bag reindex` or `mcap recover` may repair it.",
            )


def _followed(types: Typestore, stored: BagMessage, trajectories: TrajectoryEvents) -> Iterator[Event]:
    try:
        yield from trajectories.add(_deserialized(types, stored), stored.received_ns)
    except BadInput as fault:
        yield failed_event("commands", fault)


def _deserialized(types: Typestore, stored: BagMessage) -> Any:
    """The message. Raises BadBag for damaged bytes, on which the parser raises exceptions of many types."""
    kind = stored.connection.message_type
    try:
        return types.deserialize_cdr(stored.data, kind)
    except Exception as error:
        raise BadBag(
            f"Message on {stored.connection.topic}",
            expected=kind,
            got=f"{len(stored.data)} bytes that are none ({str(error).rstrip('.')})",
            remedy="The message was truncated or overwritten: record again, or try `mcap recover`.",
        ) from error


def _decoded(types: Typestore, stored: BagMessage, stamps: ChannelStamps, packets: PacketEvents) -> Iterator[Event]:
    topic, kind = stored.connection.topic, stored.connection.message_type
    try:
        try:
            message: Any = types.deserialize_cdr(stored.data, kind)
        except Exception as error:  # on damaged bytes, the parser raises exceptions of many types
            raise unreadable_packets(topic, f"{kind} of other fields ({error})") from error
        time = message.header.stamp if hasattr(message, "header") else message.timestamp
        stamp_ns = _stamp_ns(time, topic, stored.received_ns, stamps)
    except BadInput as fault:
        yield failed_event("images", fault)
    else:
        yield from packets.add(message, stamp_ns)


def _load(types: Typestore, stored: BagMessage, channel: Channel, stamps: Stamps) -> CameraFrame | JointValues:
    topic, message = stored.connection.topic, _deserialized(types, stored)
    stamp_ns = _stamp_ns(message.header.stamp, topic, stored.received_ns, stamps.of(channel))
    if channel == "images":
        return CameraFrame(stamp_ns, decode_image(message), message.header.frame_id)
    return JointValues(stamp_ns, tuple(message.name), message.position, stored.publisher)


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """An opened bag. Raises BadBag for one that is not there or is damaged."""
    if not (path.is_file() or path.is_dir()):
        raise BadBag(
            f"Bag {path}",
            expected="a rosbag2 folder or file",
            got=path_kind(path),
            remedy=nearest_path(path, "Check the path."),
        )
    if not _looks_like_a_bag(path):
        raise BadBag(
            f"Bag {path}",
            expected=f"a rosbag2: a folder with {METADATA}, or an .mcap or .db3 file",
            got=f"a folder without {METADATA}" if path.is_dir() else f"a {path.suffix or 'plain'} file",
            remedy="Name one bag. `hwm convert PATH --to rosbag2 --out bags` makes bags of other recordings.",
        )
    with parsing(path):
        bag = Bag(path)
    with bag:
        yield bag


def _looks_like_a_bag(path: Path) -> bool:
    if path.is_dir():
        return (path / METADATA).exists() or any(map(is_bag_file, path.iterdir()))
    with path.open("rb") as contents:
        start = contents.read(16)
    return is_bag_file(path) or start.startswith((MAGIC, SQLITE_MAGIC))


@contextmanager
def parsing(path: Path) -> Iterator[None]:
    """Turn every exception into BadBag: on damaged files, the parsers raise exceptions of many types."""
    try:
        yield
    except BadBag:
        raise
    except Exception as error:
        raise BadBag(
            f"Bag {path}",
            expected=f"a complete rosbag2 recording{' with its metadata.yaml' if path.is_dir() else ''}",
            got=f"{type(error).__name__}: {error}".rstrip("."),
            remedy="It is truncated or damaged. After a killed recorder, try `ros2 bag reindex` or `mcap recover`.",
        ) from error


def parsed_messages(path: Path, messages: Iterator[BagMessage]) -> Iterator[BagMessage]:
    """The messages; every exception of the parsers is turned into BadBag."""
    while True:
        with parsing(path):
            message = next(messages, None)
        if message is None:
            return
        yield message


def _stamp_ns(time: Any, topic: str, received_ns: int, stamps: ChannelStamps) -> int:
    header_ns = int(time.sec) * 1_000_000_000 + int(time.nanosec)
    if header_ns <= 0 and stamps.source == "header":
        raise BadBag(
            f"Message on {topic}",
            expected="a header stamp after 0",
            got=f"{header_ns} ns",
            remedy="Make the driver stamp its messages, or read with receive times instead of header stamps.",
        )
    return stamps.stamp_ns(header_ns, received_ns)
