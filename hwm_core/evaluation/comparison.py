"""A checkpoint and its numbers, and what one checkpoint is above another on the same windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.report import (
    all_tables,
    controllability,
    distances_plain,
    interval_plain,
    markdown,
    origin,
    rows_table,
    sensitivity_table,
    title,
    tokens_plain,
)
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.table import Table, gain
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr
from hwm_core.metrics.unavailable import Unavailable
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class CheckpointEvaluation:
    """One checkpoint, judged."""

    label: str  # its name, told from the others of the same run
    protocol: str
    source: str  # where the episodes come from, in words
    evaluation: Evaluation
    result: EvaluationResult
    unavailable: tuple[Unavailable, ...] = ()  # distances that were wanted, for want of a file

    @property
    def world_model(self) -> WorldModel:
        return self.evaluation.world_model

    @property
    def missing(self) -> tuple[Unavailable, ...]:
        """Everything that was wanted and cannot be given."""
        return (*self.unavailable, *self.evaluation.unavailable)

    def markdown(self) -> str:
        """The tables, and what is missing in them: table.md."""
        return markdown(self.result) + "".join(f"\n{missing}\n" for missing in self.missing)

    def document(self) -> dict[str, Any]:
        """Everything as JSON-able numbers: evaluation.json."""
        settings = self.evaluation.config
        return {
            "checkpoint": describe(self.world_model),
            "device": str(self.world_model.device),
            "protocol": self.protocol,
            "source": self.source,
            "episodes": list(self.result.episode_names),
            "settings": settings.plain(),
            **all_tables(self.result),
            "rows": rows_table(self.result, settings),
            "controllability_db": controllability(self.result),
            "distances": {
                **distances_plain(self.result),
                **{one.metric: one.plain() for one in (*self.unavailable, *self.evaluation.features.unavailable)},
            },
            "networks": self.evaluation.networks,
            "unavailable": {missing.metric: missing.plain() for missing in self.missing},
            "tokens": tokens_plain(self.result),
            "sensitivity": sensitivity_table(self.result),
        }


@dataclass(frozen=True)
class Difference:
    """How many dB `row` of one checkpoint is above that of another, paired by window.

    Where each has a truth of its own, that of its tokenizer, it is what `row` is above the frame copied: by how much
    the one leads its own copied frame more than the other does.
    """

    row: str
    of: str
    over: str
    above_copied: bool
    horizons: dict[int, Interval]
    mean: Interval  # of all frames ahead
    origin: Mapping[str, int]  # n and seed

    def plain(self) -> dict[str, Any]:
        """JSON-able."""
        by_horizon = {str(h): interval_plain(interval) for h, interval in self.horizons.items()}
        which = {"row": self.row, "of": self.of, "over": self.over, "above_copied": self.above_copied}
        return {**which, **self.origin, **by_horizon, "mean": interval_plain(self.mean)}


def differences(evaluated: Sequence[CheckpointEvaluation]) -> list[Difference]:
    """Between any two of them, for the rows that a checkpoint decides. All were judged on the same windows."""
    pairs = [(later, earlier) for earlier, later in combinations(evaluated, 2)]
    decided = [row for row in evaluated[0].result.rows if row != "copy_last"]
    return [_difference(row, a, b) for row in decided for a, b in pairs]


def differences_table(found: Sequence[Difference]) -> Table:
    """The same for people."""
    head = ["PSNR in dB, paired by window", *(f"{h} frames ahead" for h in found[0].horizons), "mean of all frames"]
    lines = [
        [f"{_titled(one)}: {one.of} above {one.over}", *map(gain, (*one.horizons.values(), one.mean))] for one in found
    ]
    return Table("Between checkpoints", head, lines)


def _titled(one: Difference) -> str:
    return f"{title(one.row)}, above the copied frame" if one.above_copied else title(one.row)


def labels(world_models: Sequence[WorldModel]) -> list[str]:
    """A label for each: its name, with some of its sha256 where names repeat, and its place where that does."""
    names = [model.name for model in world_models]
    told = [f"{m.name}-{m.sha256[:8]}" if names.count(m.name) > 1 else m.name for m in world_models]
    return [f"{label}-{i + 1}" if told.count(label) > 1 else label for i, label in enumerate(told)]


def describe(world_model: WorldModel) -> dict[str, Any]:
    """The checkpoint as reports name it."""
    return {"name": world_model.name, "sha256": world_model.sha256, "parameters": world_model.num_parameters}


def caption(world_model: WorldModel, sampling: Sampling) -> str:
    """The checkpoint in one line, for pictures."""
    size = f"{world_model.preprocessing.width} x {world_model.preprocessing.height} px"
    millions = world_model.num_parameters / 1e6
    steps = f"{sampling.steps} sampling step" + ("s" if sampling.steps > 1 else "")
    return f"{world_model.name}: {millions:.1f} M parameters, {size} at {world_model.frame_rate_hz:g} Hz, {steps}"


def _difference(row: str, a: CheckpointEvaluation, b: CheckpointEvaluation) -> Difference:
    mine, other = (one.result.rows["copy_last"].frame for one in (a, b))
    above_copied = not np.array_equal(mine, other)  # copying knows no model: the truths differ
    gained = psnr(a.result.rows[row].frame) - psnr(b.result.rows[row].frame)  # [W, F]
    if above_copied:
        gained -= psnr(mine) - psnr(other)

    def interval(values: Any) -> Interval:
        return paired_bootstrap(np.asarray(values), a.result.episode, a.result.seed)

    by_horizon = {h: interval(gained[:, h - 1]) for h in a.result.horizons}
    of_all = interval(gained.mean(axis=1))
    return Difference(row, a.label, b.label, above_copied, by_horizon, of_all, origin(a.result))
