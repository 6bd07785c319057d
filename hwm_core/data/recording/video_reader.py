"""Video files: decoded, encoded, and cut or joined without decoding, by PyAV (AV1 too, which OpenCV of pip cannot)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag

# LeRobot's own settings for AV1; and H.264 in RGB without quantisation, which gives back every bit.
Codec = Literal["av1", "h264", "lossless"]
_ENCODERS: dict[Codec, tuple[str, str, dict[str, str]]] = {
    "av1": ("libsvtav1", "yuv420p", {"crf": "30", "g": "2", "preset": "8"}),
    "h264": ("libx264", "yuv420p", {"crf": "18", "g": "2"}),
    "lossless": ("libx264rgb", "rgb24", {"qp": "0", "g": "2"}),
}


@dataclass(frozen=True)
class Clip:
    """A stretch of a video file."""

    path: Path
    start_s: float = 0.0
    frames: int | None = None  # None: to the end of the file

    def decode(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Seconds since the clip's start, and the picture uint8 [H, W, 3]. Raises BadBag for a damaged file."""
        with _reading(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            origin = _origin_s(stream) + self.start_s
            if self.start_s > 0:
                container.seek(int(origin / stream.time_base), stream=stream)
            early = 0.5 / float(stream.average_rate or 30)  # stamps are rounded to the file's time base
            number = 0
            for frame in container.decode(stream):
                if frame.time is None or frame.time < origin - early:
                    continue
                if number == self.frames:
                    return
                number += 1
                yield frame.time - origin, frame.to_ndarray(format="rgb24")

    def decode_exactly(self, count: int, *, because: str, remedy: str) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """As `decode`. Raises BadBag for another number of frames than `count`, which is so `because` of what else."""
        for number, decoded in zip_longest(range(count), self.decode()):
            if number is None or decoded is None:
                raise BadBag(
                    f"Video {self.path}",
                    expected=f"{count} frames, {because}",
                    got="more" if number is None else f"{number}",
                    remedy=remedy,
                )
            yield decoded


@dataclass(frozen=True)
class VideoFacts:
    """What a file's header says; equal facts mean that two files can be joined."""

    codec: str
    pixels: str
    height: int
    width: int
    extradata: bytes


def video_facts(path: Path) -> VideoFacts:
    """Look at a file. Raises BadBag for a damaged one."""
    with _reading(path) as (_, stream):
        context = stream.codec_context
        return VideoFacts(
            context.name, str(context.pix_fmt), context.height, context.width, bytes(context.extradata or b"")
        )


class FrameEncoder:
    """Writes pictures at a fixed rate into an MP4. Every second frame is a key frame, so that clips are found fast."""

    def __init__(self, path: Path, rate_hz: float, codec: Codec = "av1") -> None:
        encoder, pixels, options = _ENCODERS[codec]
        if encoder not in av.codecs_available:
            raise BadBag("Video codec", expected=f"a PyAV with {encoder}", got="none", remedy="Choose another codec.")
        self._container = av.open(str(path), "w")
        stream: Any = self._container.add_stream(encoder, rate=Fraction(rate_hz).limit_denominator(1001))
        self._stream = stream
        self._stream.pix_fmt = pixels
        self._stream.options = dict(options)
        self._shape: tuple[int, ...] | None = None

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Append uint8 [H, W, 3]. Raises BadBag for a size unlike the first one's."""
        if self._shape is None:
            if self._stream.pix_fmt == "yuv420p" and (rgb.shape[0] % 2 or rgb.shape[1] % 2):
                raise BadBag(
                    "Video",
                    expected="even sizes",
                    got=list(rgb.shape),
                    remedy="Choose the lossless codec: it takes any.",
                )
            self._shape = rgb.shape
            self._stream.height, self._stream.width = rgb.shape[:2]
        elif rgb.shape != self._shape:
            raise BadBag("Video", expected=list(self._shape), got=list(rgb.shape), remedy="Record one camera mode.")
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))

    def __enter__(self) -> "FrameEncoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._shape is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def copy_packets(clips: Sequence[Clip], lengths: Sequence[int], rate_hz: float, path: Path) -> None:
    """Join clips of equal `VideoFacts` without decoding: not one pixel changes.

    Args:
        lengths: frames of each clip; clip n starts sum(lengths[:n]) / rate_hz seconds after the start.

    Raises:
        BadBag: damaged, of another length or rate, or a clip that does not start at a key frame.
    """
    with av.open(str(path), "w") as out:
        target: Any = None
        written = 0
        for clip, length in zip(clips, lengths, strict=True):
            with _reading(clip.path) as (container, stream):
                if target is None:
                    target = out.add_stream_from_template(
                        stream, opaque=True
                    )  # AV1 has no encoder of its decoder's name
                    target.time_base = stream.time_base
                _copy(container, stream, clip, length, out, target, Fraction(written) / Fraction(rate_hz), rate_hz)
            written += length


def check_packets(clip: Clip, length: int, rate_hz: float) -> None:
    """Look at every packet, without decoding. Raises BadBag where `copy_packets` would."""
    with _reading(clip.path) as (container, stream):
        for _ in _packets(container, stream, clip, length, rate_hz):
            pass


def _copy(
    container: Any, stream: Any, clip: Clip, length: int, out: Any, target: Any, offset_s: Fraction, rate_hz: float
) -> None:
    first: Any = None
    for packet in _packets(container, stream, clip, length, rate_hz):
        if first is None:
            first = packet.pts
        scale = packet.time_base / target.time_base
        shift = offset_s / target.time_base
        packet.pts = round((packet.pts - first) * scale + shift)
        packet.dts = round(((packet.dts if packet.dts is not None else 0) - first) * scale + shift)
        packet.stream = target
        out.mux(packet)


def _packets(container: Any, stream: Any, clip: Clip, length: int, rate_hz: float) -> Iterator[Any]:
    """Those of a clip; of one that is a whole file all there are. Raises as `copy_packets`, in part only at the end."""
    origin = _origin_s(stream) + clip.start_s
    half = 0.5 / rate_hz
    end = np.inf if clip.frames is None else origin + length / rate_hz - half
    if clip.start_s > 0:
        container.seek(int(origin / stream.time_base), stream=stream)
    times: list[float] = []
    for packet in container.demux(stream):
        if packet.pts is None or (time := float(packet.pts * packet.time_base)) < origin - half:
            continue
        if time > end:
            if packet.is_keyframe:
                break
            continue
        if not times and not packet.is_keyframe:
            raise BadBag(
                f"Video {clip.path}",
                expected=f"a key frame at {clip.start_s:.3f} s, where an episode starts",
                got="none",
                remedy="Convert with a codec named: that decodes and encodes again.",
            )
        if packet.is_corrupt:
            raise _cut(clip, f"{length} whole frames", f"a cut one at {time - origin:.3f} s")
        times.append(time)
        yield packet
    if len(times) != length:
        raise _cut(clip, f"{length} frames from {clip.start_s:.3f} s", f"{len(times)}")
    if np.abs(np.sort(times) - origin - np.arange(length) / rate_hz).max() > half:
        raise BadBag(
            f"Video {clip.path}",
            expected=f"{rate_hz:g} pictures a second, the `fps` of info.json",
            got=f"{(length - 1) / (max(times) - min(times)):.4g}",
            remedy="Correct `fps`; where the pauses differ, convert with a codec named: that makes them one.",
        )


def _cut(clip: Clip, expected: str, got: str) -> BadBag:
    remedy = "The video or the table was cut: download it again; or `fps` in info.json is wrong."
    return BadBag(f"Video {clip.path}", expected=expected, got=got, remedy=remedy)


@contextmanager
def _reading(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(path)) as container:
            yield container, container.streams.video[0]
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise BadBag(
            f"Video {path}",
            expected="a video PyAV can decode",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was cut, or this PyAV lacks its codec (AV1 needs libdav1d).",
        ) from error


def _origin_s(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)
