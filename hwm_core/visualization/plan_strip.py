"""A planned run in one row: the start, frames in between, the end, and the goal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import GREY, MODEL, TRUTH, Canvas, Frame, enlarge, evenly

_MARGIN, _GAP, _HEADER = 28, 6, 78


def plan_strip(
    title: str,
    notes: Sequence[str],
    start: Frame,
    goal: Frame,
    frames: NDArray[np.uint8],
    num_between: int = 4,
    cell_height: int = 176,
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: start, `num_between` frames in between, end, and the goal.

    Args:
        start, goal: [H, W, 3].
        frames: [F, H, W, 3] camera frames of the run; the last one is the end.
        notes: short texts below the title.
    """
    way = evenly(num_between + 1, len(frames))
    cells = [start, *frames[way], goal]
    labels = ["start", *(f"frame {i + 1}" for i in way[:-1]), f"end (frame {way[-1] + 1})", "goal"]
    images = enlarge(np.stack(cells), cell_height)
    step = images.shape[2] + _GAP
    canvas = Canvas(2 * _MARGIN + len(cells) * step + 3 * _GAP, _HEADER + 26 + cell_height + _MARGIN)
    canvas.text(_MARGIN, 22, title, 22, bold=True)
    canvas.text(_MARGIN, 52, "   ".join(notes), 14, GREY)
    for column, (image, label) in enumerate(zip(images, labels)):
        x = _MARGIN + column * step + (3 * _GAP if label == "goal" else 0)
        colour = {len(cells) - 1: TRUTH, len(cells) - 2: MODEL}.get(column)
        canvas.text(x, _HEADER, label, 13, colour or GREY)
        canvas.paste(image, x, _HEADER + 24)
        if colour:
            canvas.frame_around(x, _HEADER + 24, images.shape[2], cell_height, colour)
    return canvas.pixels()
