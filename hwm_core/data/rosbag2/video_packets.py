"""Topics that hold a camera as packets of a video stream."""

from collections.abc import Iterator
from typing import Any

from hwm_core.data.recording.events import CameraFrame, Event, decoded_event, failed_event
from hwm_core.data.recording.packet_decoder import DecodedPacket, PacketDecoder
from hwm_core.errors import BadInput

FFMPEG, FOXGLOVE = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "foxglove_msgs/msg/CompressedVideo"
# Of ffmpeg_image_transport_msgs and foxglove_msgs; ROS 2 itself does not have these types.
DEFINITIONS = {
    FFMPEG: "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\nuint8 flags\n"
    "bool is_bigendian\nuint8[] data\n",
    FOXGLOVE: "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n",
}
PACKET_TYPES = tuple(DEFINITIONS)
# Message types that hold a camera in a form that hwm does not read, and what it would take to read it.
UNREADABLE = {
    "theora_image_transport/msg/Packet": "decode them while playing the bag: `ros2 run image_transport republish "
    "theora raw`",
}


class PacketEvents:
    """Image events of one topic of packets.

    Args:
        topic: the topic.
    """

    def __init__(self, topic: str) -> None:
        self._decoder = PacketDecoder(topic)
        self._stamps: dict[int, int] = {}

    def add(self, message: Any, stamp_ns: int) -> Iterator[Event]:
        """Decode one message; yields the images that are complete now."""
        number = len(self._stamps)
        self._stamps[number] = stamp_ns
        encoding = message.encoding if hasattr(message, "encoding") else message.format
        try:
            for decoded in self._decoder.feed(number, encoding, bytes(message.data)):
                yield self._event(decoded)
        except BadInput as fault:
            yield failed_event("images", fault)

    def finish(self) -> Iterator[Event]:
        """The images that the decoder held back."""
        for decoded in self._decoder.finish():
            yield self._event(decoded)

    def _event(self, decoded: DecodedPacket) -> Event:
        if decoded.rgb is None:
            assert decoded.fault is not None
            return failed_event("images", decoded.fault)
        return decoded_event("images", CameraFrame(self._stamps[decoded.number], decoded.rgb))
