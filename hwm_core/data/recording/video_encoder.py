"""Encodes RGB frames into MP4 files with PyAV."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag

# AV1 as LeRobot encodes it; "lossless" is H.264 in RGB without quantisation.
Codec = Literal["av1", "h264", "lossless"]
_ENCODERS: dict[Codec, tuple[str, str, dict[str, str]]] = {
    "av1": ("libsvtav1", "yuv420p", {"crf": "30", "g": "2", "preset": "8"}),
    "h264": ("libx264", "yuv420p", {"crf": "18", "g": "2"}),
    "lossless": ("libx264rgb", "rgb24", {"qp": "0", "g": "2"}),
}


class FrameEncoder:
    """Writes images at a fixed rate into an MP4 file. Every second frame is a key frame, for fast seeking."""

    def __init__(self, path: Path, rate_hz: float, codec: Codec = "av1") -> None:
        encoder, pixels, options = _ENCODERS[codec]
        if encoder not in av.codecs_available:
            raise BadBag(
                "Video codec", expected=f"a PyAV with {encoder}", got="one without", remedy="Choose another codec."
            )
        self._container = av.open(str(path), "w")
        stream: Any = self._container.add_stream(encoder, rate=Fraction(rate_hz).limit_denominator(1001))
        self._stream = stream
        self._stream.pix_fmt = pixels
        self._stream.options = dict(options)
        self._shape: tuple[int, ...] | None = None

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Append an image, uint8 [H, W, 3]. Raises BadBag when its size differs from the first image."""
        if self._shape is None:
            if self._stream.pix_fmt == "yuv420p" and (rgb.shape[0] % 2 or rgb.shape[1] % 2):
                raise BadBag(
                    "Video",
                    expected="even sizes",
                    got=list(rgb.shape),
                    remedy="Choose the lossless codec: it accepts any size.",
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
