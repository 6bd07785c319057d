"""Video files: decoded, encoded, and cut or joined without decoding, by PyAV (AV1 too, which OpenCV of pip cannot)."""

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
    """A stretch of a video file."""

    path: Path
    start_s: float = 0.0
    frames: int | None = None  # None: to the end of the file

    def decode(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Seconds since the clip's start, and the picture uint8 [H, W, 3]. Raises BadBag for a damaged file."""
        with open_video(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            origin = start_of(stream) + self.start_s
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
    with open_video(path) as (_, stream):
        context = stream.codec_context
        return VideoFacts(
            context.name, str(context.pix_fmt), context.height, context.width, bytes(context.extradata or b"")
        )


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
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


def start_of(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)
