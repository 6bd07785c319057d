"""Decodes a camera that was recorded as packets of a video stream (H.264, H.265, AV1, VP9)."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.video_picture import PictureConverter
from hwm_core.errors import BadBag, BadImage, BeforeKeyFrame

_REORDERED = 16  # packets by which an encoder may change the order of frames, the most of H.264 and H.265
# {part of the name of an encoder or codec: decoder}
_DECODERS = {
    "264": "h264",
    "avc": "h264",
    "265": "hevc",
    "hevc": "hevc",
    "av1": "av1",
    "vp9": "vp9",
    "vp8": "vp8",
    "mjpeg": "mjpeg",
}


@dataclass(frozen=True)
class DecodedPacket:
    """The image of one packet, or why it has none."""

    number: int  # of the packet
    rgb: NDArray[np.uint8] | None  # [H, W, 3]
    fault: BadImage | None = None


class PacketDecoder:
    """Decodes packets in the order of their arrival. A packet without an image is reported when the next one has one.

    Args:
        topic: for error messages.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._codec: Any = None
        self._converter: PictureConverter | None = None
        self._name = ""
        self._first: int | None = None  # the first packet with an image
        self._waiting: dict[int, BadImage | None] = {}  # packets without an image so far, with the fault of the decoder

    def feed(self, number: int, encoding: str, data: bytes) -> Iterator[DecodedPacket]:
        """Decode one packet; yields the images that are complete now, and the packets that will have none.

        Args:
            number: of the packet; ascending.
            encoding: the codec or encoder, such as `libx264`, `hevc_nvenc` or `h264;yuv420p;bgr8;bgr8`.
            data: the packet.

        Raises:
            BadImage: no known codec, or another one than before.
        """
        self._choose(encoding)
        self._waiting[number] = None
        packet = av.Packet(data)
        packet.pts = packet.dts = number
        yield from self._images(packet)

    def finish(self) -> Iterator[DecodedPacket]:
        """The images that the decoder held back, and the packets that have none."""
        if self._codec is not None:
            yield from self._images(None)
        yield from self._without_image(None)

    def _images(self, packet: Any) -> Iterator[DecodedPacket]:
        try:
            frames = self._codec.decode(packet)
        except av.error.FFmpegError as error:
            if packet is not None:
                self._waiting[packet.pts] = self._bad(f"bytes that do not decode ({error.strerror})")
            return
        for frame in frames:
            if frame.pts in self._waiting:
                self._first = frame.pts if self._first is None else min(self._first, frame.pts)
                yield from self._without_image(frame.pts - _REORDERED)
                del self._waiting[frame.pts]
                yield self._picture(frame)

    def _picture(self, frame: Any) -> DecodedPacket:
        if self._converter is None:  # the decoder knows the pixel aspect from the first image on
            stream = SimpleNamespace(sample_aspect_ratio=self._codec.sample_aspect_ratio, codec_context=self._codec)
            self._converter = PictureConverter(stream, f"of packets on {self._topic}")
        try:
            return DecodedPacket(frame.pts, self._converter.rgb(frame))
        except BadBag as fault:
            return DecodedPacket(
                frame.pts,
                None,
                BadImage(fault.what, expected=fault.expected, got=fault.got, remedy=fault.remedy),
            )

    def _without_image(self, before: int | None) -> Iterator[DecodedPacket]:
        """Remove the packets before one; all where it is None."""
        for number in [one for one in self._waiting if before is None or one < before]:
            fault = self._waiting.pop(number)
            early = BeforeKeyFrame if self._first is None or number < self._first else BadImage
            got = "a packet that needs an earlier one" if fault is None else str(fault.got)
            yield DecodedPacket(number, None, self._bad(got, early))

    def _bad(self, got: str, kind: type[BadImage] = BadImage) -> BadImage:
        return kind(
            f"Video packet on {self._topic}",
            expected=f"a packet of {self._name} after a key frame",
            got=got,
            remedy="The recorder started between two key frames, or lost packets: send key frames more often.",
        )

    def _choose(self, encoding: str) -> None:
        word = encoding.partition(";")[0].lower()
        name = next((decoder for part, decoder in _DECODERS.items() if part in word), "")
        if not name or (self._name and name != self._name):
            raise unreadable_packets(self._topic, f"`{encoding}`", self._name)
        if self._codec is None:
            self._name = name
            self._codec = av.CodecContext.create(name, "r")
            self._codec.thread_type = "NONE"


def unreadable_packets(topic: str, got: str, expected: str = "") -> BadImage:
    """The fault of packets that hwm cannot decode, with what it would take to read the topic."""
    return BadImage(
        f"Video packets on topic {topic}",
        expected=expected or "a stream of H.264, H.265, AV1, VP9, VP8 or MJPEG, named in each message",
        got=got,
        remedy="Record the camera as sensor_msgs/Image or CompressedImage, or decode the packets while playing "
        "the bag: `ros2 run image_transport republish ffmpeg raw`.",
    )
