"""A recording on one page: its frames in order, each with its time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import GREY, Canvas, Frame

_MARGIN, _GAP, _HEADER, _LINE, _CAPTION = 24, 6, 66, 19, 18


def thumbnail_sheet(
    title: str, notes: Sequence[str], thumbnails: NDArray[np.uint8], times_s: Sequence[float], columns: int = 6
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: the title, `notes` below it, and thumbnails uint8 [N, h, w, 3] in rows."""
    count, height, width = thumbnails.shape[:3]
    across = min(columns, count)
    page_width = max(2 * _MARGIN + across * (width + _GAP) - _GAP, 900)
    top = _HEADER + _LINE * len(notes) + 10
    canvas = Canvas(page_width, top + -(-count // across) * (height + _CAPTION + _GAP) + _MARGIN)
    canvas.text(_MARGIN, 22, title, 22, bold=True)
    for number, note in enumerate(notes):
        canvas.text(_MARGIN, _HEADER + _LINE * number, note if len(note) < 110 else note[:107] + "...", 13, GREY)
    for number, (image, seconds) in enumerate(zip(thumbnails, times_s, strict=True)):
        row, column = divmod(number, across)
        x, y = _MARGIN + column * (width + _GAP), top + row * (height + _CAPTION + _GAP)
        canvas.paste(image, x, y)
        canvas.text(x, y + height + 2, f"{seconds:.2f} s", 11, GREY)
    return canvas.pixels()
