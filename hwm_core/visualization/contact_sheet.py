"""What happened above what was predicted, a few windows on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.visualization.canvas import (
    FULL_SCALE,
    GREY,
    INK,
    MODEL,
    TRUTH,
    Canvas,
    Frame,
    enlarge,
    evenly,
    heat,
    wide,
)

_MARGIN, _GAP, _HEADER, _TITLES, _BETWEEN = 28, 4, 92, 24, 36
_CELL = 132  # height of a small picture; the newest frame seen is two cells high


@dataclass(frozen=True)
class Example:
    """One window: what was seen, what came, and what was predicted instead."""

    title: str
    newest: Frame  # [H, W, 3] the last frame of the context
    truth: NDArray[np.uint8]  # [F, H, W, 3]
    predictions: Mapping[str, NDArray[np.uint8]]  # {row label: [F, H, W, 3]}; the first one is compared with the truth
    notes: Sequence[str] = ()  # short lines under the newest frame

    def rows(self) -> dict[str, NDArray[np.uint8]]:
        """{label: frames} from top to bottom."""
        first, *others = self.predictions
        compared = {first: self.predictions[first], "difference": heat(self.predictions[first], self.truth)}
        return {"what happened": self.truth, **compared, **{label: self.predictions[label] for label in others}}

    def height(self) -> int:
        rows = 2 + len(self.predictions)
        return _TITLES + max(rows * (_CELL + _GAP) - _GAP, 2 * _CELL + _GAP + 18 + 19 * len(self.notes))


def contact_sheet(
    title: str, subtitle: str, examples: Sequence[Example], frame_rate_hz: float, num_columns: int = 6
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: per example the newest frame seen and `num_columns` frames of each row."""
    aspect = examples[0].newest.shape[1] / examples[0].newest.shape[0]
    label_width = wide([label for example in examples for label in example.rows()], 14)
    labels_end = _MARGIN + round((2 * _CELL + _GAP) * aspect) + 22 + label_width
    width = labels_end + 16 + num_columns * (round(_CELL * aspect) + _GAP) - _GAP + _MARGIN
    height = _HEADER + sum(example.height() + _BETWEEN for example in examples) - _BETWEEN + _MARGIN
    canvas = Canvas(width, height)
    canvas.text(_MARGIN, 24, title, 24, bold=True)
    canvas.text(_MARGIN, 58, subtitle, 14, GREY)
    canvas.text(
        width - _MARGIN, 59, f"difference: black 0, brightest {FULL_SCALE:g} of full scale", 12, GREY, anchor="ra"
    )
    y = _HEADER
    for number, example in enumerate(examples):
        if number > 0:
            canvas.line(_MARGIN, y - _BETWEEN // 2, width - _MARGIN, y - _BETWEEN // 2)
        _draw(canvas, example, y, labels_end, frame_rate_hz, num_columns)
        y += example.height() + _BETWEEN
    return canvas.pixels()


def _draw(canvas: Canvas, example: Example, y: int, labels_end: int, frame_rate_hz: float, num_columns: int) -> None:
    canvas.text(_MARGIN, y, example.title, 14, INK, bold=True)
    canvas.paste(enlarge(example.newest, 2 * _CELL + _GAP), _MARGIN, y + _TITLES)
    for number, note in enumerate(example.notes):
        canvas.text(_MARGIN, y + _TITLES + 2 * _CELL + _GAP + 14 + 19 * number, note, 13, GREY)
    shown = evenly(num_columns, len(example.truth))
    for row, (label, frames) in enumerate(example.rows().items()):
        top = y + _TITLES + row * (_CELL + _GAP)
        canvas.text(labels_end, top + _CELL // 2, label, 14, {0: TRUTH, 1: MODEL}.get(row, GREY), anchor="rm")
        cells = enlarge(frames[shown], _CELL)
        for column, cell in enumerate(cells):
            canvas.paste(cell, labels_end + 16 + column * (cell.shape[1] + _GAP), top)
    for column, index in enumerate(shown):
        x = labels_end + 16 + column * (cells.shape[2] + _GAP)
        canvas.text(x, y, f"+{index + 1}  ({(index + 1) / frame_rate_hz:.2f} s)", 12, GREY)
