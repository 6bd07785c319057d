"""Preprocessing of camera images to model frames, shared by recording, training, replay and the node."""

from collections.abc import Sequence
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.data.recording.clock import FrameClock
from hwm_core.errors import BadImage

# Cameras round their sizes to multiples of 8 or 16, so the aspect may differ by a pixel or two.
_ASPECT_TOLERANCE = 0.01

_Share = Annotated[float, Field(allow_inf_nan=True)]  # `_margins_leave_pixels` rejects NaN, with all its conditions


class Preprocessing(Config):
    """Crop, size, colour order and frame rate. Every checkpoint contains one."""

    source_aspect: float = Field(ge=0, description="width / height of the camera's images; 0: any, cropped to a square")
    margins: tuple[_Share, _Share, _Share, _Share] = Field(
        default=(0.0, 0.0, 0.0, 0.0),
        description="shares of height and width removed first, at top, bottom, left and right: bars, a second eye",
    )
    crop: Literal["none", "centre_square"] = "centre_square"
    height: int = Field(default=64, ge=1, description="pixels")
    width: int = Field(default=64, ge=1, description="pixels")
    interpolation: Literal["area"] = "area"
    colour: Literal["rgb"] = "rgb"
    frame_rate_hz: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    drop_repeats: bool = Field(
        default=False,
        description="leave out an image equal to the previous one: for cameras slower than their stated rate",
    )

    @model_validator(mode="after")
    def _any_aspect_needs_a_square(self) -> "Preprocessing":
        if self.source_aspect == 0 and self.crop != "centre_square":
            raise ValueError("`crop` to be `centre_square` when `source_aspect` is 0, which means images of any aspect")
        return self

    @model_validator(mode="after")
    def _margins_leave_pixels(self) -> "Preprocessing":
        top, bottom, left, right = self.margins
        if not (min(self.margins) >= 0 and top + bottom < 1 and left + right < 1):  # also rejects NaN
            raise ValueError(
                "`margins` to be four shares of at least 0, with top + bottom and left + right less than 1"
            )
        return self

    def is_repeat(self, pixels: NDArray[np.uint8], previous: NDArray[np.uint8] | None) -> bool:
        """Whether to leave out `pixels`, which follow `previous`; both are results of `apply`."""
        return self.drop_repeats and previous is not None and np.array_equal(pixels, previous)

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop and resize an image, uint8 [H, W, 3] -> uint8 [height, width, 3].

        Raises:
            BadImage: the image is not uint8 [H, W, 3], its aspect is not `source_aspect`, or `margins` leave no pixel.
        """
        require_rgb(rgb)
        if self.source_aspect:
            require_aspect(rgb, self.source_aspect)
        height, width = rgb.shape[:2]
        if any(self.margins):
            top, bottom, left, right = self.margins
            rgb = rgb[round(top * height) : height - round(bottom * height)]
            rgb = rgb[:, round(left * width) : width - round(right * width)]
            height, width = rgb.shape[:2]
        if 0 in (height, width):
            raise BadImage(
                "Cropped image",
                expected=f"an image large enough that `margins` {list(self.margins)} leave a pixel",
                got="no pixels",
                remedy="Send larger images, or prepare the data with smaller `margins`.",
            )
        if self.crop == "centre_square":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            rgb = rgb[top : top + side, left : left + side]
        if rgb.shape[:2] != (self.height, self.width):
            rgb = np.asarray(cv2.resize(rgb, (self.width, self.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.ascontiguousarray(rgb)

    def clock(self) -> FrameClock:
        """A new frame clock of this rate, for images that arrive one at a time."""
        return FrameClock(self.frame_rate_hz)

    def pick_frames(self, stamps_ns: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Resample a whole recording to `frame_rate_hz`.

        Args:
            stamps_ns: acquisition times [N] in order of arrival.

        Returns:
            indices [F] into the recording (images of a slow camera repeat), and segments [F]: a new number after each
            gap and each backward jump of the clock.
        """
        clock, segment = self.clock(), 0
        indices: list[int] = []
        segments: list[int] = []
        newest = -1
        for index, stamp in enumerate(stamps_ns):
            tick = clock.push(int(stamp))
            segment += tick.restarted
            indices += [newest] * tick.previous + [index] * tick.current
            segments += [segment] * (tick.previous + tick.current)
            newest = newest if tick.event == "late" else index
        return np.array(indices, dtype=np.int64), np.array(segments, dtype=np.int32)


def require_rgb(rgb: NDArray[np.uint8]) -> None:
    """Raises BadImage when an image is not uint8 [H, W, 3]."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise BadImage(
            "Image",
            expected="uint8 [H, W, 3]",
            got=f"{rgb.dtype} {list(rgb.shape)}",
            remedy="Decode it to RGB first.",
        )


def require_aspect(rgb: NDArray[np.uint8], aspect: float) -> None:
    """Raises BadImage when width / height of an image differs from `aspect`."""
    height, width = rgb.shape[:2]
    if abs(width / height / aspect - 1) > _ASPECT_TOLERANCE:
        raise BadImage(
            "Image of another aspect",
            expected=f"width / height = {aspect:.3f}",
            got=f"{width}x{height} = {width / height:.3f}",
            remedy="Use a camera mode of the aspect the model was trained on, or train a model for this aspect.",
        )
