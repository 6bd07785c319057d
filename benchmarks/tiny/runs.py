"""The result files of the tiny comparison."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.model_result import ModelResult
from hwm_core.errors import BadConfig
from hwm_core.models.config import Variant

FAMILIES = ("masked", "flow")
VARIANTS: tuple[str, ...] = get_args(Variant)
SEEDS = (0, 1, 2)  # for the best variant of each family; the other variants run with the first seed only
THROUGHPUT = "throughput.json"  # beside the runs
CHOSEN_BY = ("mean_of_4", 16)  # the prediction and the horizon that choose the best variant


@dataclass(frozen=True)
class Run(ModelResult):
    """One trained and evaluated model."""

    family: str
    variant: str
    seed: int


def read_runs(folder: Path) -> list[Run]:
    """Every result in the folder, in the order of the table.

    Raises:
        BadConfig: a file that is not a result; results of different windows.
    """
    runs = [_read(path) for path in sorted(folder.glob("*_[0-9]*.json"))]
    windows = {json.dumps([run.document["n"], run.horizons, run.document["psnr_db"]["copy_last"]]) for run in runs}
    if len(windows) > 1:
        raise BadConfig(
            str(folder),
            expected="results of the same held-out windows",
            got=f"{len(windows)} sets of windows",
            remedy="Remove the results with another --episodes or --stride, and run them again.",
        )
    return sorted(runs, key=lambda run: (FAMILIES.index(run.family), VARIANTS.index(run.variant), run.seed))


def best(runs: Sequence[Run], family: str) -> str | None:
    """The variant with the highest PSNR on the first seed; None until all four variants have a result."""
    first = {run.variant: run for run in runs if run.family == family and run.seed == SEEDS[0]}
    return max(VARIANTS, key=lambda variant: first[variant].psnr(*CHOSEN_BY)) if len(first) == len(VARIANTS) else None


def missing(runs: Sequence[Run]) -> list[tuple[str, str, int]]:
    """(family, variant, seed) of each run without a result. Seeds 1 and 2 count once the best variant is known."""
    planned = [(family, variant, SEEDS[0]) for family in FAMILIES for variant in VARIANTS]
    for family in FAMILIES:
        if (variant := best(runs, family)) is not None:
            planned += [(family, variant, seed) for seed in SEEDS[1:]]
    done = {(run.family, run.variant, run.seed) for run in runs}
    return [run for run in planned if run not in done]


def seeds_of(runs: Iterable[Run], family: str, variant: str) -> list[Run]:
    """All runs of one model, which differ in their seed."""
    return [run for run in runs if (run.family, run.variant) == (family, variant)]


def _read(path: Path) -> Run:
    try:
        document = json.loads(path.read_text())
        run = Run(document, document["family"], document["variant"], document["seed"])
        run.psnr("copy_last", CHOSEN_BY[1])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            str(path), expected="a result of this benchmark", got=f"{error!r}", remedy="Remove it, and run it again."
        ) from None
    return run
