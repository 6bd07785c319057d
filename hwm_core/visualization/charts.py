"""Line and bar charts as SVG, in the colours of the other figures. The same values give the same bytes."""

from collections.abc import Mapping, Sequence
from io import StringIO
from statistics import fmean
from typing import Any

from hwm_core.visualization.canvas import FAINT, GREY, INK, MODEL, PAPER, TRUTH

_COLOURS = (MODEL, (236, 112, 99), (93, 173, 226), (175, 122, 197), (72, 201, 176), GREY, TRUTH, INK, (220, 118, 51))
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MARKS = 6  # markers of a curve
_HEIGHT, _BAR, _LABEL = 3.6, 0.24, 0.2  # inches: of a chart, of a bar, of a label


def line_chart(curves: Mapping[str, Sequence[float | None]], x_label: str, y_label: str) -> str:
    """An SVG chart with a labelled curve for each label: values at 1, 2, 3, ...; None leaves a gap.

    Curves may coincide. Therefore, each curve has its own dashes, and markers at its own places. The label is at the
    right end of its curve.
    """
    height = max(_HEIGHT, 0.8 + _LABEL * len(curves))
    figure, axes = _chart(height)
    for number, values in enumerate(curves.values()):
        points = [float("nan") if value is None else value for value in values]
        step = max(1, len(points) // _MARKS)
        axes.plot(
            range(1, 1 + len(points)),
            points,
            color=_colour(number),
            linestyle=_DASHES[number % len(_DASHES)],
            linewidth=1.6,
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=5,
            markevery=(number * step // max(1, len(curves)), step),
        )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color=_hex(FAINT), linewidth=0.7)
    _label_ends(axes, curves, gap=_LABEL / (height - 0.8))
    return _svg(figure)


def bar_chart(values: Mapping[str, float], x_label: str) -> str:
    """An SVG chart with a horizontal bar for each label, from top to bottom."""
    figure, axes = _chart(0.8 + _BAR * len(values))
    axes.barh(range(len(values)), list(values.values()), color=_hex(MODEL), height=0.7)
    axes.set_yticks(range(len(values)), list(values), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(x_label)
    axes.grid(axis="x", color=_hex(FAINT), linewidth=0.7)
    return _svg(figure)


def spread_labels(positions: Sequence[float], gap: float) -> list[float]:
    """Move positions in [0, 1] as little as possible so that their distances are at least `gap`. The order is kept.

    Isotonic regression (pool adjacent violators) of position - rank * gap.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([positions[i] - rank * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    highest = 1 - (len(positions) - 1) * gap
    moved = list(positions)
    for rank, (i, value) in enumerate(zip(order, (fmean(pool) for pool in pools for _ in pool), strict=True)):
        moved[i] = min(max(value, 0.0), highest) + rank * gap
    return moved


def _label_ends(axes: Any, curves: Mapping[str, Sequence[float | None]], gap: float) -> None:
    """Write the label of each curve to the right of the axes, with a thin line from the curve's last value."""
    low, high = axes.get_ylim()
    last_x = max((len(values) for values in curves.values()), default=1)
    ends = [_last(values) for values in curves.values()]
    at = [0.0 if end is None else (end[1] - low) / (high - low) for end in ends]
    for number, (label, end, place) in enumerate(zip(curves, ends, spread_labels(at, gap), strict=True)):
        x, y = (last_x, low) if end is None else end
        axes.annotate(
            label if end is not None else f"{label} (no values)",
            xy=(x, y),
            xytext=(1.05, place),
            textcoords="axes fraction",
            color=_colour(number),
            fontsize=9,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": _colour(number), "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
        )


def _last(values: Sequence[float | None]) -> tuple[int, float] | None:
    """(x, y) of the last value that is not None."""
    return next(((i + 1, value) for i, value in reversed(list(enumerate(values))) if value is not None), None)


def _chart(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    figure = Figure(figsize=(9.0, height), facecolor=_hex(PAPER), layout="constrained")
    axes = figure.add_subplot(facecolor=_hex(PAPER))
    axes.tick_params(colors=_hex(GREY))
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_color(_hex(FAINT))
    axes.xaxis.label.set_color(_hex(GREY))
    axes.yaxis.label.set_color(_hex(GREY))
    return figure, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    text = StringIO()
    with rc_context({"svg.hashsalt": "hwm"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _colour(number: int) -> str:
    return _hex(_COLOURS[number % len(_COLOURS)])


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
