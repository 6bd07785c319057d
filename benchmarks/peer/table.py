"""Our masked split model beside the released implementation, as a table."""

import json
from pathlib import Path

from benchmarks.tables import table

DEPTH = 24  # blocks of the paper's masked models


def report(folder: Path) -> str:
    """Markdown, a row for each figure of each run."""
    rows = []
    machines: dict[str, set[str]] = {}  # with the days on which each was used
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        configuration, machine, n = (result[key] for key in ("configuration", "machine", "n"))
        size = f"{configuration['depth']} blocks, width {configuration['dim']}"
        counts = result["parameters"]
        how = (
            f"{machine['cpu'] if machine['device'] == 'cpu' else machine['device']}, {machine['threads']} thread, "
            f"torch {machine['torch']}, float32; attention: {result['attention']}"
        )
        machines.setdefault(how, set()).add(result["date"])
        for name, row in result["seconds"].items():
            same = f"{counts['ours']:,}" + ("" if counts["ours"] == counts["theirs"] else f" and {counts['theirs']:,}")
            rows.append(
                [
                    f"{name}, batch {n['batch']}, {size}",
                    same,
                    str(n["repeats"]),
                    f"{row['ours']:.2f}",
                    f"{row['theirs']:.2f}",
                    f"**{row['theirs_over_ours']:.2f}**",
                ]
            )
    if not rows:
        return "Not measured yet."
    header = ["what", "parameters of each", "n", "ours, s", "theirs, s", "theirs / ours"]
    whole = any(folder.glob(f"*_depth{DEPTH}.json"))
    missing = "" if whole else f" The paper's whole configuration, {DEPTH} blocks: not measured."
    used = ". ".join(f"{how} ({' and '.join(sorted(days))})" for how, days in sorted(machines.items()))
    return f"{table(header, rows)}\n\n{used}. Medians of n calls of each, in turn.{missing}"
