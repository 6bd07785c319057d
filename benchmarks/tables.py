"""Tables in Markdown."""

from collections.abc import Sequence

NOT_MEASURED = "Not measured yet."


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose numeric columns are aligned right. A column is numeric if its first cell is a number."""
    first = rows[0] if rows else header
    rule = ["---:" if cell[:1].isdigit() or cell[:1] in "+-–" else "---" for cell in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
