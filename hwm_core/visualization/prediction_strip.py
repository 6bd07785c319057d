"""The past and the prediction of a live model in one row, for rviz and Foxglove."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import GREY, INK, MODEL, Canvas, Frame, enlarge, evenly

_MARGIN, _GAP, _TITLE = 10, 4, 24


def prediction_strip(
    seen: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    frame_rate_hz: float,
    label: str,
    num_seen: int = 2,
    num_predicted: int = 6,
    cell_height: int = 144,
) -> Frame:
    """One row, uint8 [H, W, 3] RGB: frames spread evenly over the past up to the newest, then over the prediction.

    Args:
        seen: [P, H, W, 3], newest last.
        predicted: [F, H, W, 3]; the first frame follows the newest past frame.
        label: a phrase that describes the actions of the prediction.
    """
    ahead = evenly(num_predicted, len(predicted))
    behind = [i + 1 - len(seen) for i in evenly(num_seen, len(seen))]
    cells = enlarge(np.concatenate([seen[[i - 1 for i in behind]], predicted[ahead]]), cell_height)
    step = cells.shape[2] + _GAP
    split = _MARGIN + len(behind) * step + _GAP
    canvas = Canvas(2 * _MARGIN + len(cells) * step + 2 * _GAP, 2 * _TITLE + cell_height + _MARGIN)
    canvas.text(_MARGIN, 5, "past", 14, INK, bold=True)
    canvas.text(split + _GAP, 5, f"prediction: {label}", 14, MODEL, bold=True)
    for column, (image, frame) in enumerate(zip(cells, behind + [i + 1 for i in ahead])):
        x = _MARGIN + column * step + (2 * _GAP if column >= len(behind) else 0)
        canvas.text(x, _TITLE + 3, f"{frame / frame_rate_hz:+.2f} s", 12, GREY)
        canvas.paste(image, x, 2 * _TITLE)
    canvas.line(split, _TITLE, split, 2 * _TITLE + cell_height, MODEL)
    return canvas.pixels()
