"""The report of the compression track: numbers, tables and a model card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.challenge.card_text import data_text, limits_text, protocol_text, reference_title
from hwm_core.challenge.compression_scores import CONDITIONS, SampleScore
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.grid_samples import GridSample
from hwm_core.challenge.sample_counts import SHUFFLED_UNAVAILABLE, SampleCounts
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.model_card import TrainedModel, card
from hwm_core.evaluation.table import Table, gain
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.tokens import NOTHING


@dataclass(frozen=True)
class ConditionScore:
    """The score of one condition over all samples; cross-entropies in nats per token."""

    top_ce: float
    ce: float
    hit_rate: float
    ce_of_hits: float | None  # None without hits
    accuracy: float

    @classmethod
    def of(cls, scores: Sequence[SampleScore]) -> "ConditionScore":
        """The score over all samples."""
        total = sum((score.top for score in scores), NOTHING)
        return cls(
            top_ce=total.ce,
            ce=float(np.array([score.ce for score in scores]).mean()),
            hit_rate=total.hit_rate,
            ce_of_hits=None if math.isnan(total.ce_of_hits) else total.ce_of_hits,
            accuracy=total.accuracy,
        )


@dataclass(frozen=True)
class CompressionReport:
    """The numbers of the compression track."""

    checkpoint: Mapping[str, str]  # its name and sha256
    settings: Mapping[str, Any]  # of the run, JSON-serialisable
    counts: SampleCounts
    tokens: int
    top: int  # k, the number of ranked codes
    conditions: Mapping[str, ConditionScore]
    uniform: float  # nats per token, as is `copy_last`
    copy_last: float
    copy_last_accuracy: float
    gain_over: Mapping[str, Interval]  # nats per token that the model saves, by the reference condition

    @classmethod
    def of(
        cls,
        compressor: Compressor,
        samples: Sequence[GridSample],
        scores: Sequence[Mapping[str, SampleScore]],
        settings: Mapping[str, Any],
    ) -> "CompressionReport":
        """Args: scores: for each sample {condition: score}."""
        takes, seed = np.array([sample.take for sample in samples]), compressor.seed
        by_condition = {name: [score[name] for score in scores] for name in CONDITIONS if name in scores[0]}
        top_ce = {name: np.array([score.top.ce for score in parts]) for name, parts in by_condition.items()}
        past, truth = (np.stack(parts) for parts in zip(*((one.past, one.truth) for one in samples), strict=True))
        copied, stays = _copy_last(past, truth, compressor.vocabulary)
        references: dict[str, NDArray[np.float64]] = {}
        references.update((name, nats) for name, nats in top_ce.items() if name in ("shuffled", "none"))
        references["copy_last"] = copied
        return cls(
            checkpoint={"name": compressor.checkpoint.name, "sha256": compressor.checkpoint.sha256},
            settings=settings,
            counts=SampleCounts.of(takes, seed),
            tokens=int(truth.size),
            top=compressor.top,
            conditions={name: ConditionScore.of(parts) for name, parts in by_condition.items()},
            uniform=math.log(compressor.vocabulary),
            copy_last=float(copied.mean()),
            copy_last_accuracy=stays,
            gain_over={
                name: paired_bootstrap(nats - top_ce["model"], takes, seed) for name, nats in references.items()
            },
        )

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        counts = self.counts.plain()
        return {
            "protocol": "1X compression",
            "checkpoint": dict(self.checkpoint),
            "settings": dict(self.settings),
            **counts,
            "tokens": self.tokens,
            "conditions": {
                name: {
                    f"top_{self.top}_ce": score.top_ce,
                    "ce": score.ce,
                    "hit_rate": score.hit_rate,
                    "ce_of_hits": score.ce_of_hits,
                    "accuracy": score.accuracy,
                    **counts,
                }
                for name, score in self.conditions.items()
            },
            "baselines": {
                "uniform": self.uniform,
                "copy_last": self.copy_last,
                "copy_last_accuracy": self.copy_last_accuracy,
            },
            "gain_over": {name: vars(interval) for name, interval in self.gain_over.items()},
            "unavailable": {} if "shuffled" in self.conditions else {"shuffled": SHUFFLED_UNAVAILABLE.plain()},
        }


def compression_tables(report: CompressionReport) -> list[Table]:
    """The numbers of every condition and baseline, and the gains of the model."""
    top = f"Top-{report.top} CE"
    lines = [
        [
            title(name),
            *(_nats(each) for each in (score.top_ce, score.ce, score.hit_rate, score.ce_of_hits, score.accuracy)),
        ]
        for name, score in report.conditions.items()
    ]
    copied = (report.copy_last, report.copy_last, None, None, report.copy_last_accuracy)
    lines.append(["copy last grid", *map(_nats, copied)])
    lines.append(["uniform", *map(_nats, (report.uniform, report.uniform, None, None, None))])
    gains = [
        [f"model below {reference_title(other)}", gain(interval, 3)] for other, interval in report.gain_over.items()
    ]
    return [
        Table("Nats per token", [str(report.counts), top, "CE", "hit rate", "CE of hits", "accuracy"], lines),
        Table("Gain of the model", ["nats per token", top], gains),
    ]


def compression_card(model: TrainedModel, report: CompressionReport) -> str:
    """A model card in Markdown."""
    settings = report.settings
    protocol = [
        "1X World Model Challenge, compression: predict the codes of future grids from past grids and all actions.",
        "Top-k CE: a code among the k likeliest costs -log p. The other codes share the remaining probability evenly.",
        f"Sampling settings: {settings['sampling']}; seed {report.counts.seed}; {settings['arithmetic']['dtype']}.",
        *protocol_text(),
    ]
    limits = [
        *limits_text(report.counts, "shuffled" in report.conditions, report.gain_over, "nats per token"),
        "1X's scorer of v2.0 is not published; the cost of a code outside the 500 is unknown.",
        "The teacher forced conditions attend to the true past grids: they are bounds, not predictions.",
    ]
    data = data_text(report.counts, settings)
    return card(model, compression_tables(report), data=data, protocol=protocol, limits=limits)


def _copy_last(past: NDArray[np.int64], truth: NDArray[np.int64], vocabulary: int) -> tuple[NDArray[np.float64], float]:
    """Nats per token [samples] of the baseline `copy_last`, and the share of tokens that keep their code.

    That share is the best probability for all samples together.
    """
    stay = (past[:, -1:] == truth).mean(axis=(1, 2, 3))
    share = float(stay.mean())  # all samples have the same number of tokens
    nats = np.zeros(len(stay))
    for fraction, probability in ((stay, share), (1 - stay, (1 - share) / (vocabulary - 1))):
        if probability > 0:  # otherwise no sample has a token of this kind
            nats -= fraction * math.log(probability)
    return nats, share


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
