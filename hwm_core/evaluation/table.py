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
    return f"{value:.2f}"


def digits(value: float) -> str:
    """Rounded to two decimal places, or to four digits below 1."""
    return decimals(value) if abs(value) >= 1 else f"{value:.4g}"


def gain(interval: Interval, places: int = 2) -> str:
    """A difference with its sign, and its interval if there is one."""
    if interval.low is None or interval.high is None:
        return f"{interval.mean:+.{places}f}"
    return f"{interval.mean:+.{places}f} ({interval.low:+.{places}f} to {interval.high:+.{places}f})"
