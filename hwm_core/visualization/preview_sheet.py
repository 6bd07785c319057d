"""A preview of a training run: a few held-out windows, each with its past, its true frames and the model's frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import GREY, INK, MODEL, TRUTH, Canvas, Frame, enlarge, evenly

_MARGIN, _GAP, _TITLE, _BETWEEN = 12, 4, 26, 10


@dataclass(frozen=True)
class Preview:
    """One window."""

    past: NDArray[np.uint8]  # [P, H, W, 3] past, newest last; P may be 0
    truth: NDArray[np.uint8]  # [F, H, W, 3]
    output: NDArray[np.uint8]  # [F, H, W, 3] predicted or reconstructed


def preview_sheet(
    title: str, label: str, previews: Sequence[Preview], num_past: int = 2, num_columns: int = 6, cell: int = 96
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: for each window some past frames, then its true frames above the model's frames.

    Args:
        label: label of the model's frames.
    """
    columns, past = evenly(num_columns, len(previews[0].truth)), evenly(num_past, len(previews[0].past))
    step = enlarge(previews[0].truth[:1], cell).shape[2] + _GAP
    split = _MARGIN + len(past) * step + (2 * _GAP if past else 0)
    pair = 2 * (cell + _GAP) + _BETWEEN
    canvas = Canvas(split + len(columns) * step + _MARGIN, 2 * _TITLE + len(previews) * pair + _MARGIN)
    canvas.text(_MARGIN, 6, title, 14, INK, bold=True)
    if past:
        canvas.text(_MARGIN, _TITLE + 4, "past", 12, GREY)
    canvas.text(split, _TITLE + 4, "above: truth", 12, TRUTH)
    canvas.text(split + step * (len(columns) // 2), _TITLE + 4, f"below: {label}", 12, MODEL)
    for number, preview in enumerate(previews):
        top = 2 * _TITLE + number * pair
        for column, frame in enumerate(enlarge(preview.past[past], cell) if past else ()):
            canvas.paste(frame, _MARGIN + column * step, top)
        for row, frames in enumerate((preview.truth, preview.output)):
            for column, frame in enumerate(enlarge(frames[columns], cell)):
                canvas.paste(frame, split + column * step, top + row * (cell + _GAP))
    return canvas.pixels()
