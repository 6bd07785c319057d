"""Paper, ink and type: what all pictures share."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frame = NDArray[np.uint8]  # [H, W, 3] RGB

PAPER = (18, 21, 26)
FAINT = (38, 43, 51)
GREY = (140, 149, 161)
INK = (232, 236, 241)
TRUTH = (120, 200, 140)
MODEL = (255, 184, 77)
FULL_SCALE = 0.3  # the difference that is drawn brightest; values in [0, 1]


class Canvas:
    """A page in pixels; x to the right, y downwards."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def paste(self, frame: Frame, x: int, y: int) -> None:
        self._image.paste(Image.fromarray(frame), (x, y))

    def text(
        self,
        x: int,
        y: int,
        text: str,
        size: int = 15,
        colour: tuple[int, int, int] = INK,
        bold: bool = False,
        anchor: str = "la",
    ) -> None:
        """`anchor` as in Pillow: l, m or r across, a (top), m or s (baseline) down."""
        self._draw.text((x, y), text, font=_font(size, bold), fill=colour, anchor=anchor)

    def line(self, x0: int, y0: int, x1: int, y1: int, colour: tuple[int, int, int] = FAINT, width: int = 1) -> None:
        self._draw.line((x0, y0, x1, y1), fill=colour, width=width)

    def box(self, x: int, y: int, width: int, height: int, colour: tuple[int, int, int] = FAINT) -> None:
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)

    def frame_around(self, x: int, y: int, width: int, height: int, colour: tuple[int, int, int]) -> None:
        """A border of two pixels outside the given box."""
        self._draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=colour, width=2)

    def pixels(self) -> Frame:
        return np.asarray(self._image).copy()


def write_png(path: str | Path, picture: Frame) -> None:
    Image.fromarray(picture).save(path, format="PNG")


def png_bytes(picture: Frame) -> bytes:
    """As `write_png`, in memory."""
    file = BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def enlarge(frames: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Scale frames [..., H, W, 3] to `height` pixels with their aspect: smoothly up, by area down."""
    h, w = frames.shape[-3:-1]
    size = (round(w * height / h), height)
    how = cv2.INTER_CUBIC if height > h else cv2.INTER_AREA
    flat = [cv2.resize(frame, size, interpolation=how) for frame in frames.reshape(-1, h, w, 3)]
    return np.asarray(flat, np.uint8).reshape(*frames.shape[:-3], height, size[0], 3)


def heat(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Absolute difference, mean over colours, from black (none) to bright (`FULL_SCALE` or more). [..., H, W, 3]."""
    difference = np.abs(prediction.astype(np.float32) - truth).mean(axis=-1) / 255
    level = np.clip(difference / FULL_SCALE * 255, 0, 255).astype(np.uint8)
    flat = cv2.applyColorMap(level.reshape(-1, level.shape[-1]), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(flat[..., ::-1]).reshape(truth.shape)


def evenly(count: int, of: int) -> list[int]:
    """`count` indices, or all of them, spread over range(of), the last one included."""
    count = min(count, of)
    return [round((i + 1) * of / count) - 1 for i in range(count)]


def wide(labels: Sequence[str], size: int, bold: bool = False) -> int:
    """Pixels of the widest label."""
    return max((round(_font(size, bold).getlength(label)) for label in labels), default=0)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    # Matplotlib brings its own DejaVu, so the pictures look alike on every machine. Its font list takes a moment to
    # load, so it is asked when the first word is drawn.
    from matplotlib.font_manager import FontProperties, findfont

    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")), size)
