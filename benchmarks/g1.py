"""What `make results-g1` has found on real recordings of a Unitree G1: one JSON of it, and the table for people.

    python -m benchmarks.g1 runs/g1

reads RUN/<actions>/evaluation/evaluation.json of every kind of actions that was judged.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tables import table
from hwm_core.errors import BadBag, BadInput
from hwm_core.evaluation.table import gain
from hwm_core.metrics.bootstrap import Interval

KINDS = ("states", "commands")
ROWS = ("model", "single", "mean_of_8", "shuffled", "none", "copy_last", "tokenizer")
_TITLES = {
    "model": "mean future",
    "single": "single sample",
    "mean_of_8": "mean of 8 samples",
    "shuffled": "mean future, shuffled actions",
    "none": "mean future, no actions",
    "copy_last": "copy last frame",
    "tokenizer": "tokenizer alone",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder that `make results-g1` worked in")
    parser.add_argument("--out", type=Path, default=RESULTS / "g1.json", help="(%(default)s)")
    parsed = parser.parse_args(words)
    try:
        evaluated = read(parsed.run)
    except BadInput as error:
        parser.error(str(error))
    one = next(iter(evaluated.values()))
    counts = {"episodes": len(one["episodes"]), "windows": next(iter(one["psnr_db"].values()))["windows"]}
    write_result(
        parsed.out,
        command=command_line("benchmarks.g1", words),
        n={**counts, "samples_per_mean": one["settings"]["samples"]},
        figures={
            kind: {key: document[key] for key in ("checkpoint", "settings", "psnr_db", "controllability_db")}
            for kind, document in evaluated.items()
        },
    )
    print(report(evaluated))
    return 0


def read(run: Path) -> dict[str, dict[str, Any]]:
    """{kind of actions: evaluation.json}. Raises BadBag where none is there."""
    found = {kind: run / kind / "evaluation" / "evaluation.json" for kind in KINDS}
    evaluated = {kind: json.loads(path.read_text()) for kind, path in found.items() if path.exists()}
    if not evaluated:
        raise BadBag(
            str(run),
            expected=" or ".join(f"{kind}/evaluation/evaluation.json" for kind in KINDS),
            got="neither",
            remedy="Run `make results-g1 G1=recordings` first.",
        )
    return evaluated


def report(evaluated: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each kind of actions, and what lies between its rows."""
    return "\n\n".join(_table(kind, document["psnr_db"]) for kind, document in evaluated.items())


def _table(kind: str, at: Mapping[str, Mapping[str, Any]]) -> str:
    windows = next(iter(at.values()))["windows"]
    rows = [[_TITLES[row], *(f"{one[row]:.2f}" for one in at.values())] for row in ROWS]
    gains = {
        "mean future above copy last frame": ("gain_over", "copy_last"),
        "mean future above shuffled actions": ("gain_over", "shuffled"),
        "mean future above no actions": ("gain_over", "none"),
        "single sample above copy last frame": ("single", "copy_last"),
        "mean of 8 above copy last frame": ("mean_of_8", "copy_last"),
    }
    for title, (row, over) in gains.items():
        intervals = (
            (one["gain_over"] if row == "gain_over" else one["sample_gains"][row])[over] for one in at.values()
        )
        rows.append([title, *(gain(Interval(**interval)) for interval in intervals)])
    return table([f"actions: {kind}; PSNR in dB, {windows} windows", *(f"{h} frames ahead" for h in at)], rows)


if __name__ == "__main__":
    sys.exit(main())
