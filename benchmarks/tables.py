"""Tables in Markdown."""

from collections.abc import Sequence

from hwm_core.metrics.bootstrap import Interval


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Numbers to the right: every column but those whose first cell is no number."""
    first = rows[0] if rows else header
    rule = ["---:" if cell[:1].isdigit() or cell[:1] in "+-–" else "---" for cell in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def signed(found: Interval) -> str:
    """A difference, and the interval in which it lies where there is one."""
    if found.low is None or found.high is None:
        return f"{found.mean:+.2f}"
    return f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
