"""Tables in Markdown."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Numbers to the right: every column but those whose first cell is no number."""
    first = rows[0] if rows else header
    rule = ["---:" if cell[:1].isdigit() or cell[:1] in "+-–" else "---" for cell in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
