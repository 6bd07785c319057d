"""The results of the tiny comparison, as read from its JSON files."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadConfig
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.models.config import Variant

FAMILIES = ("masked", "flow")
VARIANTS: tuple[str, ...] = get_args(Variant)
SEEDS = (0, 1, 2)  # of the best variant of each family; the others have the first
PACE = "throughput.json"  # beside the runs
CHOSEN_BY = ("mean_of_4", 16)  # the decoding and the frames ahead by which the best variant is chosen


@dataclass(frozen=True)
class Run:
    """One trained and judged model."""

    family: str
    variant: str
    seed: int
    horizons: tuple[int, ...]
    figures: dict[str, Any]  # the whole file

    def by_episode(self, row: str, horizon: int) -> NDArray[np.float64]:
        """PSNR in dB of each episode."""
        values = np.asarray(self.figures["psnr_db"][row], np.float64)
        return values[:, self.horizons.index(horizon)]

    def psnr(self, row: str, horizon: int) -> float:
        return float(self.by_episode(row, horizon).mean())

    def heard(self, decoding: str, horizon: int) -> Interval:
        """How much another window's motion costs."""
        return interval(self.by_episode(decoding, horizon) - self.by_episode(f"{decoding}/shuffled", horizon))


def read_runs(folder: Path) -> list[Run]:
    """Every result in the folder, in the order of the table.

    Raises:
        BadConfig: a file that is no result; results that were not judged on the same windows.
    """
    runs = [_read(path) for path in sorted(folder.glob("*_[0-9]*.json"))]
    evaluated = {json.dumps([run.figures["n"], run.horizons, run.figures["psnr_db"]["copy_last"]]) for run in runs}
    if len(evaluated) > 1:
        raise BadConfig(
            str(folder),
            expected="results of the same held-out windows",
            got=f"{len(evaluated)} sets of windows",
            remedy="Remove those that were judged with another --episodes or --stride, and run them again.",
        )
    return sorted(runs, key=lambda run: (FAMILIES.index(run.family), VARIANTS.index(run.variant), run.seed))


def best(runs: Sequence[Run], family: str) -> str | None:
    """The variant with the best first seed; None until all four have one."""
    first = {run.variant: run for run in runs if run.family == family and run.seed == SEEDS[0]}
    return max(VARIANTS, key=lambda variant: first[variant].psnr(*CHOSEN_BY)) if len(first) == len(VARIANTS) else None


def missing(runs: Sequence[Run]) -> list[tuple[str, str, int]]:
    """(family, variant, seed) of what is still to run; further seeds once the best variant is known."""
    planned = [(family, variant, SEEDS[0]) for family in FAMILIES for variant in VARIANTS]
    for family in FAMILIES:
        if (variant := best(runs, family)) is not None:
            planned += [(family, variant, seed) for seed in SEEDS[1:]]
    done = {(run.family, run.variant, run.seed) for run in runs}
    return [row for row in planned if row not in done]


def of(runs: Iterable[Run], family: str, variant: str) -> list[Run]:
    """All seeds of one model."""
    return [run for run in runs if (run.family, run.variant) == (family, variant)]


def interval(differences: NDArray[np.float64]) -> Interval:
    """95 % over episodes [E]."""
    return paired_bootstrap(differences, np.arange(len(differences)), seed=0)


def _read(path: Path) -> Run:
    try:
        figures = json.loads(path.read_text())
        key = figures["family"], figures["variant"], figures["seed"]
        run = Run(*key, tuple(figures["horizons"]), figures)
        run.psnr("copy_last", CHOSEN_BY[1])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            str(path), expected="a result of this benchmark", got=f"{error!r}", remedy="Remove it, and run it again."
        ) from None
    return run
