"""Collect the evaluations of `make results-g1`, the models that are trained on recordings of a Unitree G1.

    python -m benchmarks.g1 runs/g1

reads RUN/<actions>/evaluation/evaluation.json for states and commands as actions. It writes
benchmarks/results/g1.json and prints a table for each kind of actions.
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
CONDITIONS = ("model", "single", "mean_of_8", "shuffled", "none", "copy_last", "tokenizer")
_TITLES = {
    "model": "mean prediction",
    "single": "single sample",
    "mean_of_8": "mean of 8 samples",
    "shuffled": "mean prediction, shuffled actions",
    "none": "mean prediction, no actions",
    "copy_last": "copy last frame",
    "tokenizer": "tokenizer alone",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder that `make results-g1` wrote")
    parser.add_argument("--out", type=Path, default=RESULTS / "g1.json", help="result file (%(default)s)")
    parsed = parser.parse_args(words)
    try:
        evaluations = read(parsed.run)
    except BadInput as error:
        parser.error(str(error))
    first = next(iter(evaluations.values()))
    counts = {"episodes": len(first["episodes"]), "windows": next(iter(first["psnr_db"].values()))["windows"]}
    write_result(
        parsed.out,
        command=command_line("benchmarks.g1", words),
        n={**counts, "samples_per_mean": first["settings"]["samples"]},
        numbers={
            kind: {key: document[key] for key in ("checkpoint", "settings", "psnr_db", "controllability_db")}
            for kind, document in evaluations.items()
        },
    )
    print(report(evaluations))
    return 0


def read(run: Path) -> dict[str, dict[str, Any]]:
    """{kind of actions: evaluation.json}. Raises BadBag if there is no evaluation."""
    paths = {kind: run / kind / "evaluation" / "evaluation.json" for kind in KINDS}
    evaluations = {kind: json.loads(path.read_text()) for kind, path in paths.items() if path.exists()}
    if not evaluations:
        raise BadBag(
            str(run),
            expected=" or ".join(f"{kind}/evaluation/evaluation.json" for kind in KINDS),
            got="none of them",
            remedy="Run `make results-g1 G1=recordings` first.",
        )
    return evaluations


def report(evaluations: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each kind of actions: the PSNR of every condition, and the gains with their intervals."""
    return "\n\n".join(_table(kind, document["psnr_db"]) for kind, document in evaluations.items())


def _table(kind: str, by_horizon: Mapping[str, Mapping[str, Any]]) -> str:
    windows = next(iter(by_horizon.values()))["windows"]
    rows = [
        [_TITLES[condition], *(f"{numbers[condition]:.2f}" for numbers in by_horizon.values())]
        for condition in CONDITIONS
    ]
    gains = [
        ("mean prediction above copy last frame", "model", "copy_last"),
        ("mean prediction above shuffled actions", "model", "shuffled"),
        ("mean prediction above no actions", "model", "none"),
        ("single sample above copy last frame", "single", "copy_last"),
        ("mean of 8 samples above copy last frame", "mean_of_8", "copy_last"),
    ]
    for title, condition, reference in gains:
        intervals = [_gains(numbers, condition)[reference] for numbers in by_horizon.values()]
        rows.append([title, *(gain(Interval(**interval)) for interval in intervals)])
    horizons = (f"{horizon} frames ahead" for horizon in by_horizon)
    return table([f"actions: {kind}; PSNR in dB, {windows} windows", *horizons], rows)


def _gains(numbers: Mapping[str, Any], condition: str) -> Mapping[str, Any]:
    """{reference: interval} of a condition at one horizon."""
    return numbers["gain_over"] if condition == "model" else numbers["sample_gains"][condition]


if __name__ == "__main__":
    sys.exit(main())
