"""The canvas, colours and fonts that all figures share."""

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
FULL_SCALE = 0.3  # differences of this size or more have the brightest colour; values in [0, 1]


class Canvas:
    """An image to draw on, in pixels: x to the right, y downwards."""

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
        """`anchor` as in Pillow: first l, m or r (horizontal), then a (top), m or s (baseline)."""
        self._draw.text((x, y), text, font=_font(size, bold), fill=colour, anchor=anchor)

    def line(self, x0: int, y0: int, x1: int, y1: int, colour: tuple[int, int, int] = FAINT, width: int = 1) -> None:
        self._draw.line((x0, y0, x1, y1), fill=colour, width=width)

    def box(self, x: int, y: int, width: int, height: int, colour: tuple[int, int, int] = FAINT) -> None:
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)

    def frame_around(self, x: int, y: int, width: int, height: int, colour: tuple[int, int, int]) -> None:
        """Draw a border of two pixels around the given box."""
        self._draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=colour, width=2)

    def pixels(self) -> Frame:
        return np.asarray(self._image).copy()


def write_png(path: str | Path, image: Frame) -> None:
    Image.fromarray(image).save(path, format="PNG")


def png_bytes(image: Frame) -> bytes:
    """The bytes of a PNG file, as `write_png` writes it."""
    file = BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def enlarge(frames: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Scale frames [..., H, W, 3] to `height` pixels and keep their aspect ratio. Bicubic if enlarged, else by area."""
    h, w = frames.shape[-3:-1]
    size = (round(w * height / h), height)
    interpolation = cv2.INTER_CUBIC if height > h else cv2.INTER_AREA
    flat = [cv2.resize(frame, size, interpolation=interpolation) for frame in frames.reshape(-1, h, w, 3)]
    return np.asarray(flat, np.uint8).reshape(*frames.shape[:-3], height, size[0], 3)


def heat(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The absolute difference, mean over colours, as a colour map from black (0) to bright (`FULL_SCALE` or more).

    All [..., H, W, 3].
    """
    difference = np.abs(prediction.astype(np.float32) - truth).mean(axis=-1) / 255
    level = np.clip(difference / FULL_SCALE * 255, 0, 255).astype(np.uint8)
    flat = cv2.applyColorMap(level.reshape(-1, level.shape[-1]), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(flat[..., ::-1]).reshape(truth.shape)


def evenly(count: int, of: int) -> list[int]:
    """At most `count` indices, spread evenly over range(of); the last index is included."""
    count = min(count, of)
    return [round((i + 1) * of / count) - 1 for i in range(count)]


def wide(labels: Sequence[str], size: int, bold: bool = False) -> int:
    """The width of the widest label in pixels."""
    return max((round(_font(size, bold).getlength(label)) for label in labels), default=0)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    # Matplotlib contains DejaVu, so figures look the same on every machine. Its font list loads slowly, so it is loaded
    # only when text is drawn.
    from matplotlib.font_manager import FontProperties, findfont

    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")), size)
