"""Decodes video files with PyAV, which also reads AV1; the OpenCV of pip does not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.clock import MAX_GAP_PERIODS
from hwm_core.data.recording.video_picture import PictureConverter, display_matrix, pixel_aspect
from hwm_core.errors import BadBag
from hwm_core.io.named_path import path_kind

_TOLERANCE_S = 1e-4  # of LeRobot, for the time of a frame


@dataclass(frozen=True)
class VideoSpan:
    """A span of a video file."""

    path: Path
    start_s: float = 0.0
    frames: int | None = None  # None: to the end of the file
    rate_hz: float | None = None  # every frame must be at its place in this rate; None: at any time

    def decode(self, report: Callable[[str], None] | None = None) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield seconds since the start of the span and images as players show them, uint8 [H, W, 3].

        Args:
            report: called at the end of a file whose frames end before the end that it states, with both times.

        Raises:
            BadBag: the file is damaged, or as `PictureConverter.rgb`.
        """
        with open_video(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            origin = start_of(stream) + self.start_s
            if self.start_s > 0:
                container.seek(int(origin / stream.time_base), stream=stream)
            early = 0.5 / float(stream.average_rate or 30)  # stamps are rounded to the time base of the file
            number, converter = 0, PictureConverter(stream, self.path)
            seconds = 0.0
            for frame in container.decode(stream):
                if frame.time is None or frame.time < origin - early:
                    continue
                if number == self.frames:
                    return
                seconds = frame.time - origin
                self._require_place(number, seconds, float(stream.time_base))
                number += 1
                yield seconds, converter.rgb(frame)
            if report and (missing := _missing_end(container, stream, self.path, seconds)):
                report(missing)

    def _require_place(self, number: int, seconds: float, tick_s: float) -> None:
        if self.rate_hz is not None and abs(seconds - number / self.rate_hz) > _TOLERANCE_S + tick_s:
            raise BadBag(
                f"Video {self.path}",
                expected=f"frame {number} after {self.start_s:.4f} s at {number / self.rate_hz:.4f} s",
                got=f"{seconds:.4f} s",
                remedy="Frames are missing or have other times, so rows would get the image of a neighbour. "
                "Download the video again, or convert the dataset again.",
            )

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
    """Stream parameters of a file; files with equal facts can be joined."""

    codec: str
    pixels: str
    height: int
    width: int
    extradata: bytes
    colours: tuple[int, ...]  # matrix, range and curve
    display: bytes  # display matrix
    pixel_aspect: float


def video_facts(path: Path) -> VideoFacts:
    """Read the stream parameters of a file. Raises BadBag for a damaged file."""
    with open_video(path) as (container, stream):
        context = stream.codec_context
        extradata = bytes(context.extradata or b"")
        frame = next(container.decode(stream), None)  # only a frame has the display matrix
        if frame is None:
            raise BadBag(f"Video {path}", expected="frames", got="none", remedy="The file was truncated.")
        return VideoFacts(
            codec=context.name,
            pixels=str(context.pix_fmt),
            height=context.height,
            width=context.width,
            extradata=extradata,
            colours=(int(frame.colorspace), int(frame.color_range), int(context.color_trc or 0)),
            display=display_matrix(frame),
            pixel_aspect=pixel_aspect(stream),
        )


def _missing_end(container: Any, stream: Any, path: Path, end_s: float) -> str:
    """What a file says about its length, where its frames end before, at `end_s`; empty where they do not."""
    stated_s = 0.0
    if stream.duration:
        stated_s = float(stream.duration * stream.time_base)
    elif container.duration and len(container.streams) == 1:
        stated_s = container.duration / av.time_base
    period_s = 1 / float(stream.average_rate or 30)
    if stated_s - (end_s + period_s) <= MAX_GAP_PERIODS * period_s:
        return ""
    return f"the frames of {path.name} end at {end_s + period_s:.2f} s, but it says it has {stated_s:.2f} s: truncated?"


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file: its container and the video stream that players choose. Raises BadBag when PyAV cannot read it."""
    try:
        if path.exists() and not path.is_file():
            raise OSError(path_kind(path))
        with av.open(str(path)) as container:
            stream = container.streams.best("video")  # not the cover picture of the file
            if stream is None:
                raise IndexError("no video stream")
            if stream.codec_context is None:
                raise IndexError("a codec without a decoder")
            yield container, stream
    except (av.error.FFmpegError, IndexError, OSError, UnicodeDecodeError) as error:
        raise BadBag(
            f"Video {path}",
            expected="a video PyAV can decode",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was truncated, or this PyAV lacks its codec (AV1 needs libdav1d).",
        ) from error


def start_of(stream: Any) -> float:
    """Time of the first frame of a stream, in seconds."""
    return float((stream.start_time or 0) * stream.time_base)
