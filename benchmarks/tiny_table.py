"""The table of the tiny comparison."""

from pathlib import Path


def report(results: Path) -> str:
    return "\n".join(sorted(path.name for path in results.glob("*.json")))
