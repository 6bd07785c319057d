"""Costs along directions as small charts, beside the images that they belong to."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from hwm_core.visualization.canvas import FAINT, GREY, INK, MODEL, TRUTH, Canvas, Frame, enlarge

_IMAGE, _WIDTH, _HEIGHT, _MARGIN, _COLUMNS = 200, 240, 120, 24, 4
_LABEL = 40  # pixels above a chart


class Curve(NamedTuple):
    """Costs at offsets around 0, in increasing order."""

    title: str
    offsets: Sequence[float]
    costs: Sequence[float]
    minimum: float  # the offset of the lowest cost
    unit: str


def landscape_sheet(title: str, images: Mapping[str, Frame], curves: Sequence[Curve]) -> Frame:
    """A sheet with a row of images and a chart for every curve; all charts have the same scale of costs.

    A green line marks the motion itself, an orange dot the lowest cost.
    """
    highest = max((cost for curve in curves for cost in curve.costs), default=1.0) or 1.0
    rows = -(-len(curves) // _COLUMNS)
    top = 80 + _LABEL + _IMAGE
    canvas = Canvas(_MARGIN + _COLUMNS * (_WIDTH + _MARGIN), top + rows * (_HEIGHT + _LABEL + _MARGIN) + _MARGIN)
    canvas.text(_MARGIN, 18, title, size=20, bold=True)
    canvas.text(_MARGIN, top - 6, f"all charts: cost from 0 to {highest:.2f}", size=12, colour=GREY)
    for place, (name, image) in enumerate(images.items()):
        x = _MARGIN + place * (_WIDTH + _MARGIN)
        canvas.text(x, 60, name, colour=GREY)
        canvas.paste(enlarge(image[None], _IMAGE)[0], x, 60 + _LABEL // 2)
    for place, curve in enumerate(curves):
        x = _MARGIN + place % _COLUMNS * (_WIDTH + _MARGIN)
        y = top + place // _COLUMNS * (_HEIGHT + _LABEL + _MARGIN) + _MARGIN
        _chart(canvas, curve, x, y, highest)
    return canvas.pixels()


def _chart(canvas: Canvas, curve: Curve, x: int, y: int, highest: float) -> None:
    low, high = curve.offsets[0], curve.offsets[-1]
    canvas.text(x, y, curve.title, size=14, colour=INK)
    canvas.text(x, y + 18, f"lowest at {curve.minimum:+.2f} {curve.unit}", size=12, colour=GREY)
    y += _LABEL
    canvas.box(x, y, _WIDTH, _HEIGHT, FAINT)

    def at(offset: float, cost: float) -> tuple[int, int]:
        share = (offset - low) / (high - low)
        return x + round(share * (_WIDTH - 1)), y + _HEIGHT - 1 - round(min(1.0, cost / highest) * (_HEIGHT - 8))

    middle = at(0.0, 0.0)[0]
    canvas.line(middle, y, middle, y + _HEIGHT - 1, TRUTH)
    points = [at(offset, cost) for offset, cost in zip(curve.offsets, curve.costs, strict=True)]
    for before, after in pairwise(points):
        canvas.line(*before, *after, INK, width=2)
    lowest = points[list(curve.offsets).index(curve.minimum)]
    canvas.box(lowest[0] - 4, lowest[1] - 4, 9, 9, MODEL)
