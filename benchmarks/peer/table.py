"""The speed of hwm's masked split model beside the released implementation, as a table."""

import json
from pathlib import Path

from benchmarks.tables import table

PAPER_DEPTH = 24  # blocks of the paper's masked models


def report(folder: Path) -> str:
    """Markdown, one row per measured call of each result."""
    rows = []
    conditions: dict[str, set[str]] = {}  # with the dates of the measurements
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        configuration, machine, n = (result[key] for key in ("configuration", "machine", "n"))
        size = f"{configuration['depth']} blocks, width {configuration['dim']}"
        counts = result["parameters"]
        condition = (
            f"{machine['cpu'] if machine['device'] == 'cpu' else machine['device']}, {machine['threads']} thread, "
            f"torch {machine['torch']}, float32; attention: {result['attention']}"
        )
        conditions.setdefault(condition, set()).add(result["date"])
        equal = counts["hwm"] == counts["released"]
        for name, seconds in result["seconds"].items():
            rows.append(
                [
                    f"{name.replace('_', ' ')}, batch {n['batch']}, {size}",
                    f"{counts['hwm']:,}" + ("" if equal else f" and {counts['released']:,}"),
                    str(n["repeats"]),
                    f"{seconds['hwm']:.2f}",
                    f"{seconds['released']:.2f}",
                    f"**{seconds['released_over_hwm']:.2f}**",
                ]
            )
    if not rows:
        return "Not measured yet."
    header = ["measured call", "parameters of each model", "n", "hwm, s", "released, s", "released / hwm"]
    complete = any(folder.glob(f"*_depth{PAPER_DEPTH}.json"))
    missing = "" if complete else f" The paper's configuration with {PAPER_DEPTH} blocks is not measured."
    measured = ". ".join(f"{how} ({' and '.join(sorted(days))})" for how, days in sorted(conditions.items()))
    return f"{table(header, rows)}\n\n{measured}. Medians of n alternating calls.{missing}"
