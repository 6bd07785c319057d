"""Writes MP4 videos frame by frame: the memory does not depend on the length of the video."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np

from hwm_core.visualization.canvas import GREY, INK, MODEL, TRUTH, Canvas, Frame, enlarge

_MARGIN, _GAP, _HEADER, _FOOTER = 20, 12, 44, 40
_COLOURS = (TRUTH, MODEL)


class VideoWriter:
    """Writes an MP4: H.264 if PyAV has the codec, else MPEG-4. The same frames give the same bytes."""

    def __init__(self, path: str | Path, frame_rate_hz: float) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        rate = Fraction(frame_rate_hz).limit_denominator(1001)
        self._stream = cast(av.VideoStream, self._container.add_stream(codec, rate=rate))
        self._stream.pix_fmt = "yuv420p"
        self._stream.thread_count = 1  # with several threads, the slices of a frame depend on the number of cores
        # mbtree is off: with x264's vector code, the bytes differ between runs (measured on frames 134 px wide).
        x264 = codec == "libx264"
        self._stream.options = {"crf": "16", "preset": "fast", "mbtree": "0"} if x264 else {"qscale": "3"}
        self._empty = True

    def write(self, frame: Frame) -> None:
        """Append a frame uint8 [H, W, 3]. The codec requires even sizes, so an odd row or column is cut off."""
        height, width = frame.shape[0] & ~1, frame.shape[1] & ~1
        if self._empty:
            self._stream.height, self._stream.width = height, width
            self._empty = False
        image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
        self._container.mux(self._stream.encode(image))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._empty:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def side_by_side(panels: Mapping[str, Frame], caption: str, progress: float, height: int = 320) -> Frame:
    """One frame of a video, uint8 [H, W, 3]: labelled panels, a caption, and a progress bar (`progress` in [0, 1])."""
    images = {label: enlarge(frame, height) for label, frame in panels.items()}
    width = sum(p.shape[1] for p in images.values()) + _GAP * (len(images) - 1)
    canvas = Canvas(width + 2 * _MARGIN, _HEADER + height + _FOOTER + _MARGIN // 2)
    x = _MARGIN
    for number, (label, image) in enumerate(images.items()):
        canvas.text(x, 15, label, 16, _COLOURS[number] if number < len(_COLOURS) else GREY, bold=True)
        canvas.paste(image, x, _HEADER)
        x += image.shape[1] + _GAP
    canvas.box(_MARGIN, _HEADER + height + 10, width, 3)
    canvas.box(_MARGIN, _HEADER + height + 10, max(1, round(width * progress)), 3, MODEL)
    canvas.text(_MARGIN, _HEADER + height + 20, caption, 13, INK)
    return canvas.pixels()
