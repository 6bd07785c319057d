"""Which topics of a bag hold the images, states and commands, and of which message type they are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwm_core.data.recording.events import Channel
from hwm_core.data.rosbag2.bag import CDR, Bag
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.trajectories import TRAJECTORY
from hwm_core.data.rosbag2.video_packets import PACKET_TYPES, UNREADABLE
from hwm_core.errors import BadBag, NoImages

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", *PACKET_TYPES)
JOINT_TYPES: Mapping[Channel, tuple[str, ...]] = {
    "states": ("sensor_msgs/msg/JointState",),
    "commands": ("sensor_msgs/msg/JointState", TRAJECTORY),
}
_DEFAULT = Topics()
_REPUBLISH = "publish them as sensor_msgs/Image while playing the bag"
_Recorded = Mapping[str, tuple[str, ...]]  # {topic: message types}


@dataclass(frozen=True)
class ChosenTopic:
    """A topic that is read."""

    topic: str
    channel: Channel
    kind: str  # message type; messages of other types on the topic are left out


def image_transports(topic: str) -> tuple[str, ...]:
    """The topics on which image_transport publishes a camera, in the order in which they are looked for."""
    return topic, f"{topic}/compressed", f"{topic}/ffmpeg"


def choose_topics(path: Path, bag: Bag, topics: Topics, images: bool) -> list[ChosenTopic]:
    """The topics to read.

    Args:
        path: of the bag, for error messages.
        bag: the opened bag.
        topics: the topics wanted.
        images: whether the images are wanted.

    Raises:
        NoImages: there is no topic of images.
        BadBag: both joint topics are missing or not in CDR, or a topic has messages of other types or of several types.
    """
    recorded, foreign = bag.topic_types(), bag.foreign()
    if topics.image in foreign:
        raise _not_ros2(path, topics.image, foreign[topics.image])
    chosen = [choose_image_topic(path, recorded, topics.image)] if images else []
    joint_topics: tuple[tuple[str, Channel], ...] = ((topics.joint_states, "states"), (topics.commands, "commands"))
    for topic, channel in joint_topics:
        if topic in recorded:
            chosen.append(ChosenTopic(topic, channel, _message_type(path, topic, recorded, JOINT_TYPES[channel])))
    if len(chosen) == images:
        for topic, _ in joint_topics:
            if topic in foreign:
                raise _not_ros2(path, topic, foreign[topic])
        raise BadBag(
            f"Bag {path}",
            expected=f"joint values on {topics.joint_states} or {topics.commands}",
            got="neither topic",
            remedy=_alternatives(recorded, JOINT_TYPES["commands"]),
        )
    return chosen


def absent_topics(bag: Bag, topics: Topics) -> Iterator[str]:
    """A phrase for each joint topic that the user named and the bag lacks."""
    recorded, foreign = bag.topic_types(), bag.foreign()
    named: tuple[tuple[Channel, str, str], ...] = (
        ("states", topics.joint_states, _DEFAULT.joint_states),
        ("commands", topics.commands, _DEFAULT.commands),
    )
    for channel, topic, default in named:
        if topic != default and topic not in recorded and topic not in foreign:
            yield f"no topic {topic}, so no {channel}. {_alternatives(recorded, JOINT_TYPES[channel]).rstrip('.')}"


def _not_ros2(path: Path, topic: str, encoding: str) -> BadBag:
    return BadBag(
        f"Topic {topic} of bag {path}",
        expected=f"messages of ROS 2, in {CDR}",
        got=f"messages in {encoding}",
        remedy="Record the topic with `ros2 bag record`, or convert a ROS 1 bag with `rosbags-convert`.",
    )


def choose_image_topic(path: Path, recorded: Mapping[str, tuple[str, ...]], image: str) -> ChosenTopic:
    """The topic `image`, or its compressed transport where only this was recorded. Raises NoImages or BadBag."""
    for topic in image_transports(image):
        kinds = recorded.get(topic, ())
        if kinds and not (all(map(_looks_like_a_camera, kinds))):
            return ChosenTopic(topic, "images", _message_type(path, topic, recorded, IMAGE_TYPES))
    unreadable = {topic: kind for topic, kinds in recorded.items() for kind in kinds if _looks_like_a_camera(kind)}
    got = "".join(f"; {topic} holds {kind}" for topic, kind in sorted(unreadable.items()))
    ways = dict.fromkeys(UNREADABLE.get(kind, _REPUBLISH) for kind in unreadable.values())
    raise NoImages(
        f"Bag {path}",
        expected=f"images on {image}",
        got=("no topic that can be read" if image in recorded else "no such topic") + got,
        remedy=_alternatives(recorded, IMAGE_TYPES)
        + (f" To use the packets, {' or '.join(ways)}, and record the result." if ways else ""),
    )


def _looks_like_a_camera(kind: str) -> bool:
    """Whether a message type that hwm does not read holds images or video, by its name."""
    name = kind.rpartition("/")[2].lower()
    return kind in UNREADABLE or (
        kind not in IMAGE_TYPES and any(word in name for word in ("packet", "image", "video"))
    )


def _message_type(path: Path, topic: str, recorded: _Recorded, readable: tuple[str, ...]) -> str:
    """The one type of a topic that can be read. Raises BadBag where there is none, or a choice."""
    found = [kind for kind in recorded[topic] if kind in readable]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadBag(
            f"Topic {topic} of bag {path}",
            expected="messages of one type",
            got=" and ".join(found),
            remedy="Two programs publish on this topic: remap one to its own topic, and record again.",
        )
    raise BadBag(
        f"Topic {topic} of bag {path}",
        expected=" or ".join(readable),
        got=" and ".join(recorded[topic]),
        remedy=_alternatives(recorded, readable),
    )


def _alternatives(recorded: _Recorded, types: tuple[str, ...]) -> str:
    topics = [topic for topic, kinds in recorded.items() if {*kinds} & {*types}]
    return f"Topics of this type in the bag: {', '.join(topics) or 'none'}."
