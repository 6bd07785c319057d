"""What a run can do so far: a few held-out windows, each what was seen, what came, and what is made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import GREY, INK, MODEL, TRUTH, Canvas, Frame, enlarge, evenly

_MARGIN, _GAP, _TITLE, _ROWS = 12, 4, 26, 10


@dataclass(frozen=True)
class Sample:
    """One window."""

    seen: NDArray[np.uint8]  # [P, H, W, 3] context, newest last; P may be 0
    truth: NDArray[np.uint8]  # [F, H, W, 3]
    made: NDArray[np.uint8]  # [F, H, W, 3] predicted, or rebuilt


def sample_sheet(
    title: str, made: str, samples: Sequence[Sample], num_seen: int = 2, num_columns: int = 6, cell: int = 96
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: of each window some frames seen, then its truth above what was made of it.

    Args:
        made: what the lower rows are called.
    """
    shown, seen = evenly(num_columns, len(samples[0].truth)), evenly(num_seen, len(samples[0].seen))
    step = enlarge(samples[0].truth[:1], cell).shape[2] + _GAP
    split = _MARGIN + len(seen) * step + (2 * _GAP if seen else 0)
    pair = 2 * (cell + _GAP) + _ROWS
    canvas = Canvas(split + len(shown) * step + _MARGIN, 2 * _TITLE + len(samples) * pair + _MARGIN)
    canvas.text(_MARGIN, 6, title, 14, INK, bold=True)
    if seen:
        canvas.text(_MARGIN, _TITLE + 4, "seen", 12, GREY)
    canvas.text(split, _TITLE + 4, "above: truth", 12, TRUTH)
    canvas.text(split + step * (len(shown) // 2), _TITLE + 4, f"below: {made}", 12, MODEL)
    for number, sample in enumerate(samples):
        top = 2 * _TITLE + number * pair
        for column, picture in enumerate(enlarge(sample.seen[seen], cell) if seen else ()):
            canvas.paste(picture, _MARGIN + column * step, top)
        for row, frames in enumerate((sample.truth, sample.made)):
            for column, picture in enumerate(enlarge(frames[shown], cell)):
                canvas.paste(picture, split + column * step, top + row * (cell + _GAP))
    return canvas.pixels()
