"""One image of a bag, by its time."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hwm_core.data.recording.events import CameraFrame
from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.rosbag2.bag import BagMessage
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.reader import open_bag, parsed_messages, parsing
from hwm_core.data.rosbag2.topic_choice import choose_image_topic
from hwm_core.data.rosbag2.video_packets import PACKET_TYPES
from hwm_core.errors import BadBag

LONGEST_NS = 500_000_000
"""An image further than this from the wanted time is not the one that was meant."""


def frame_at(path: Path, topic: str, stamp_ns: int, stopped: Callable[[], bool] = lambda: False) -> CameraFrame:
    """The image of a bag whose header stamp is nearest to a time. Only this image is decoded.

    Args:
        path: rosbag2 folder, or one .mcap or .db3 file.
        topic: of the images, raw or compressed (`topic`/compressed).
        stamp_ns: of the image, at most `LONGEST_NS` away; 0: the image with the newest stamp.
        stopped: asked for each message; True ends the reading.

    Raises:
        NoImages: there is no topic of images.
        BadBag: the bag cannot be read, holds video packets on this topic, or has no image at this time.
        BadImage: the image cannot be decoded.
        InterruptedError: `stopped` returned True.
    """
    types, nearest, away_ns = message_types(), None, -1
    first_ns = last_ns = count = 0
    with open_bag(path) as bag:
        found = choose_image_topic(path, bag.topic_types(), topic)
        if found.kind in PACKET_TYPES:
            raise BadBag(
                f"Topic {found.topic} of bag {path}",
                expected="images, raw or compressed",
                got=f"packets of video ({found.kind})",
                remedy="Convert the bag first: `hwm convert --to rosbag2`.",
            )
        for message in parsed_messages(path, bag.messages({found.topic: (found.kind,)})):
            if stopped():
                raise InterruptedError(f"the reading of {path} was stopped")
            at_ns, count = _header_ns(message), count + 1
            first_ns, last_ns = (at_ns, at_ns) if count == 1 else (min(first_ns, at_ns), max(last_ns, at_ns))
            distance_ns = abs(at_ns - stamp_ns) if stamp_ns else -at_ns
            if nearest is None or distance_ns < away_ns:
                nearest, away_ns = (
                    BagMessage(message.connection, 0, message.received_ns, bytes(message.data)),
                    distance_ns,
                )
    if nearest is None or away_ns > LONGEST_NS:
        raise BadBag(
            f"Bag {path}",
            expected=f"an image on {found.topic} at {stamp_ns * 1e-9:.3f} s, or at most {LONGEST_NS * 1e-9:g} s away",
            got=f"{count} images"
            + (f" from {first_ns * 1e-9:.3f} to {last_ns * 1e-9:.3f} s" if count else "")
            + (f", the nearest {away_ns * 1e-9:.3f} s away" if nearest is not None else ""),
            remedy="Give the header stamp of an image, or 0 for the last one.",
        )
    with parsing(path):
        image: Any = types.deserialize_cdr(nearest.data, nearest.connection.message_type)
    return CameraFrame(_header_ns(nearest), decode_image(image))


def _header_ns(message: BagMessage) -> int:
    """The stamp in the header of an Image or CompressedImage in CDR: its first two fields, after 4 bytes.

    Raises:
        BadBag: the message is shorter than that.
    """
    data = bytes(message.data[:12])
    if len(data) < 12:
        raise BadBag(
            f"Message on {message.connection.topic}",
            expected=message.connection.message_type,
            got=f"{len(data)} bytes",
            remedy="The message was truncated.",
        )
    seconds, nanoseconds = struct.unpack("<iI" if data[1] & 1 else ">iI", data[4:])
    return int(seconds * 1_000_000_000 + nanoseconds)
