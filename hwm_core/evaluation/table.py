"""A table of text, for Markdown and for the HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass

from hwm_core.metrics.bootstrap import Interval


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column has the names of the rows."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as Markdown, below its title."""
        ruler = ["---", *("---:" for _ in self.head[1:])]
        lines = (f"| {' | '.join(cells)} |\n" for cells in (self.head, ruler, *self.lines))
        return f"**{self.title}**\n\n{''.join(lines)}"


def decimals(value: float) -> str:
    """Rounded to two decimal places."""
    return f"{_rounded(value, 2):.2f}"


def digits(value: float) -> str:
    """Rounded to two decimal places, or to four digits below 1."""
    return decimals(value) if abs(value) >= 1 else f"{value:.4g}"


def gain(interval: Interval, places: int = 2) -> str:
    """A difference with its sign, and its interval if there is one."""
    if interval.low is None or interval.high is None:
        return f"{_rounded(interval.mean, places):+.{places}f}"
    mean, low, high = (f"{_rounded(one, places):+.{places}f}" for one in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"


def _rounded(value: float, places: int) -> float:
    """Rounded, and without the sign of a zero: no table shows -0.00."""
    return round(value, places) + 0.0
