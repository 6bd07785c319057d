"""Compares two checkpoints on the same windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.json_report import counts, interval_json
from hwm_core.evaluation.table import Table, gain
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr


@dataclass(frozen=True)
class Difference:
    """How many dB a condition of the checkpoint `of` is above the same condition of `over`, paired by window.

    If the truth is reconstructed by each model's own tokenizer, the truths differ. Each condition is then first
    compared with `copy_last` of its own checkpoint.
    """

    condition: str
    of: str
    over: str
    relative_to_copy_last: bool
    horizons: dict[int, Interval]
    mean: Interval  # over all frames ahead
    counts: Mapping[str, int]  # windows, episodes, seed

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable."""
        by_horizon = {str(h): interval_json(interval) for h, interval in self.horizons.items()}
        return {
            "condition": self.condition,
            "of": self.of,
            "over": self.over,
            "relative_to_copy_last": self.relative_to_copy_last,
            **self.counts,
            **by_horizon,
            "mean": interval_json(self.mean),
        }


def differences(evaluated: Sequence[CheckpointEvaluation]) -> list[Difference]:
    """The difference of each checkpoint to each earlier checkpoint, for every condition that depends on the checkpoint.

    All checkpoints were evaluated on the same windows.
    """
    pairs = [(later, earlier) for earlier, later in combinations(evaluated, 2)]
    dependent = [name for name in evaluated[0].result.conditions if name != "copy_last"]
    return [_difference(name, a, b) for name in dependent for a, b in pairs]


def differences_table(found: Sequence[Difference]) -> Table:
    """The differences as a table."""
    head = ["PSNR in dB, paired by window", *(f"{h} frames ahead" for h in found[0].horizons), "mean of all frames"]
    lines = [
        [f"{_titled(one)}: {one.of} above {one.over}", *map(gain, (*one.horizons.values(), one.mean))] for one in found
    ]
    return Table("Between checkpoints", head, lines)


def _titled(one: Difference) -> str:
    return f"{title(one.condition)}, relative to copy last frame" if one.relative_to_copy_last else title(one.condition)


def _difference(condition: str, a: CheckpointEvaluation, b: CheckpointEvaluation) -> Difference:
    copied_a, copied_b = (one.result.conditions["copy_last"].mse for one in (a, b))
    relative = not np.array_equal(copied_a, copied_b)  # copying uses no model, so the truths differ
    gained = psnr(a.result.conditions[condition].mse) - psnr(b.result.conditions[condition].mse)  # [W, F]
    if relative:
        gained -= psnr(copied_a) - psnr(copied_b)

    def interval(values: NDArray[np.float64]) -> Interval:
        return paired_bootstrap(values, a.result.windows.episode, a.result.seed)

    by_horizon = {h: interval(gained[:, h - 1]) for h in a.result.horizons}
    of_all = interval(gained.mean(axis=1))
    return Difference(condition, a.label, b.label, relative, by_horizon, of_all, counts(a.result))
