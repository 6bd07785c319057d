"""Curves and bars as SVG, on the paper and in the ink of the other pictures. The same values give the same bytes."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from hwm_core.visualization.canvas import FAINT, GREY, INK, MODEL, PAPER, TRUTH

_COLOURS = (MODEL, (236, 112, 99), (93, 173, 226), (175, 122, 197), (72, 201, 176), GREY, TRUTH, INK, (220, 118, 51))
_HEIGHT, _BAR = 3.6, 0.24  # inches; of a chart, and of one bar


def line_chart(curves: Mapping[str, Sequence[float | None]], x_label: str, y_label: str) -> str:
    """A curve for each label, its values at 1, 2, 3 ...; None leaves a gap. SVG."""
    figure, axes = _paper(_HEIGHT)
    for number, (label, values) in enumerate(curves.items()):
        points = [float("nan") if value is None else value for value in values]
        marker = "o" if len(points) == 1 else None
        colour = _hex(_COLOURS[number % len(_COLOURS)])
        style = "-" if number < len(_COLOURS) else "--"
        axes.plot(range(1, 1 + len(points)), points, style, color=colour, label=label, marker=marker, linewidth=1.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color=_hex(FAINT), linewidth=0.7)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_color(_hex(INK))
    return _svg(figure)


def bar_chart(values: Mapping[str, float], x_label: str) -> str:
    """A horizontal bar for each label, from top to bottom. SVG."""
    figure, axes = _paper(0.8 + _BAR * len(values))
    axes.barh(range(len(values)), list(values.values()), color=_hex(MODEL), height=0.7)
    axes.set_yticks(range(len(values)), list(values), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(x_label)
    axes.grid(axis="x", color=_hex(FAINT), linewidth=0.7)
    return _svg(figure)


def _paper(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # without pyplot: no display, no state

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


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
