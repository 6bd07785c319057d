"""A contact sheet: a few windows on one page, with the true frames above the predicted frames."""

from collections.abc import Sequence
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
_CELL = 132  # height of a frame in a strip; the newest frame of the past is two cells high
_LABEL, _EXPLANATION = 14, 11  # font sizes


@dataclass(frozen=True)
class Strip:
    """Frames in a row, with a label and an explanation."""

    label: str
    explanation: str
    frames: NDArray[np.uint8]  # [F, H, W, 3]


@dataclass(frozen=True)
class Example:
    """One window: a large frame, the true frames, and the frames to compare with them."""

    title: str
    newest: Frame  # [H, W, 3] the large frame
    truth: NDArray[np.uint8]  # [F, H, W, 3]
    strips: Sequence[Strip]  # below the first strip, its difference to the truth is drawn
    notes: Sequence[str] = ()  # short lines below the large frame
    large: str = "newest frame of the past"  # caption of the large frame

    def all_strips(self) -> list[Strip]:
        """All strips, from top to bottom."""
        first, *others = self.strips
        difference = Strip("difference", f"|{first.label} - truth|", heat(first.frames, self.truth))
        return [Strip("truth", "the camera's frames", self.truth), first, difference, *others]

    def height(self) -> int:
        strips = 2 + len(self.strips)
        return _TITLES + max(strips * (_CELL + _GAP) - _GAP, 2 * _CELL + _GAP + 18 + 19 * len(self.notes))


def contact_sheet(
    title: str, subtitle: str, examples: Sequence[Example], frame_rate_hz: float, num_columns: int = 6
) -> Frame:
    """One page, uint8 [H, W, 3] RGB: for each example the newest frame and `num_columns` frames of each strip."""
    aspect = examples[0].newest.shape[1] / examples[0].newest.shape[0]
    strips = [strip for example in examples for strip in example.all_strips()]
    label_width = max(
        wide([strip.label for strip in strips], _LABEL), wide([strip.explanation for strip in strips], _EXPLANATION)
    )
    titles = [_title(example) for example in examples]
    labels_end = _MARGIN + max(round((2 * _CELL + _GAP) * aspect) + 22 + label_width, wide(titles, _LABEL, bold=True))
    width = labels_end + 16 + num_columns * (round(_CELL * aspect) + _GAP) - _GAP + _MARGIN
    height = _HEADER + sum(example.height() + _BETWEEN for example in examples) - _BETWEEN + _MARGIN
    canvas = Canvas(width, height)
    canvas.text(_MARGIN, 24, title, 24, bold=True)
    canvas.text(_MARGIN, 58, subtitle, 14, GREY)
    scale = f"difference: black is 0, brightest is {FULL_SCALE:g} of full scale or more"
    canvas.text(width - _MARGIN, 59, scale, 12, GREY, anchor="ra")
    y = _HEADER
    for number, example in enumerate(examples):
        if number > 0:
            canvas.line(_MARGIN, y - _BETWEEN // 2, width - _MARGIN, y - _BETWEEN // 2)
        _draw(canvas, example, y, labels_end, frame_rate_hz, num_columns)
        y += example.height() + _BETWEEN
    return canvas.pixels()


def _title(example: Example) -> str:
    return f"{example.title}: {example.large}"


def _draw(canvas: Canvas, example: Example, y: int, labels_end: int, frame_rate_hz: float, num_columns: int) -> None:
    canvas.text(_MARGIN, y, _title(example), _LABEL, INK, bold=True)
    canvas.paste(enlarge(example.newest, 2 * _CELL + _GAP), _MARGIN, y + _TITLES)
    for number, note in enumerate(example.notes):
        canvas.text(_MARGIN, y + _TITLES + 2 * _CELL + _GAP + 14 + 19 * number, note, 13, GREY)
    columns = evenly(num_columns, len(example.truth))
    for row, strip in enumerate(example.all_strips()):
        top = y + _TITLES + row * (_CELL + _GAP)
        colour = {0: TRUTH, 1: MODEL}.get(row, INK)
        canvas.text(labels_end, top + _CELL // 2 - 9, strip.label, _LABEL, colour, anchor="rm")
        canvas.text(labels_end, top + _CELL // 2 + 9, strip.explanation, _EXPLANATION, GREY, anchor="rm")
        cells = enlarge(strip.frames[columns], _CELL)
        for column, cell in enumerate(cells):
            canvas.paste(cell, labels_end + 16 + column * (cell.shape[1] + _GAP), top)
    for column, index in enumerate(columns):
        x = labels_end + 16 + column * (cells.shape[2] + _GAP)
        canvas.text(x, y, f"+{index + 1}  ({(index + 1) / frame_rate_hz:.2f} s)", 12, GREY)
