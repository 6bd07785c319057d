"""Decodes video files with PyAV, which also reads AV1; the OpenCV of pip does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag


@dataclass(frozen=True)
class VideoSpan:
    """A span of a video file."""

    path: Path
    start_s: float = 0.0
    frames: int | None = None  # None: to the end of the file

    def decode(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield seconds since the start of the span and images, uint8 [H, W, 3]. Raises BadBag for a damaged file."""
        with open_video(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            origin = start_of(stream) + self.start_s
            if self.start_s > 0:
                container.seek(int(origin / stream.time_base), stream=stream)
            early = 0.5 / float(stream.average_rate or 30)  # stamps are rounded to the time base of the file
            number = 0
            for frame in container.decode(stream):
                if frame.time is None or frame.time < origin - early:
                    continue
                if number == self.frames:
                    return
                number += 1
                yield frame.time - origin, frame.to_ndarray(format="rgb24")

    def decode_exactly(self, count: int, *, because: str, remedy: str) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """As `decode`, but raises BadBag unless there are `count` frames; the error gives `because` and `remedy`."""
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
    """Stream parameters from the header of a file; files with equal facts can be joined."""

    codec: str
    pixels: str
    height: int
    width: int
    extradata: bytes


def video_facts(path: Path) -> VideoFacts:
    """Read the stream parameters of a file. Raises BadBag for a damaged file."""
    with open_video(path) as (_, stream):
        context = stream.codec_context
        return VideoFacts(
            context.name, str(context.pix_fmt), context.height, context.width, bytes(context.extradata or b"")
        )


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file: its container and its first video stream. Raises BadBag when PyAV cannot read it."""
    try:
        with av.open(str(path)) as container:
            yield container, container.streams.video[0]
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise BadBag(
            f"Video {path}",
            expected="a video PyAV can decode",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was truncated, or this PyAV lacks its codec (AV1 needs libdav1d).",
        ) from error


def start_of(stream: Any) -> float:
    """Time of the first frame of a stream, in seconds."""
    return float((stream.start_time or 0) * stream.time_base)
