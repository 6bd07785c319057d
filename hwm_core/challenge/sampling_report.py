"""The report of the sampling track: numbers, tables and a model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwm_core.challenge.card_text import data_text, limits_text, protocol_text
from hwm_core.challenge.sample_counts import SHUFFLED_UNAVAILABLE, SampleCounts
from hwm_core.challenge.sampling_scores import SampleScore
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.model_card import TrainedModel, card
from hwm_core.evaluation.table import Table, decimals, gain
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class ConditionScore:
    """The score of one condition over all samples."""

    psnr_db: float
    pooled_psnr_db: float
    ssim: float
    gain_over: Mapping[str, Interval]  # dB, by the reference condition


@dataclass(frozen=True)
class SamplingReport:
    """The numbers of the sampling track."""

    checkpoint: Mapping[str, str]  # its name and sha256
    settings: Mapping[str, Any]  # of the run, JSON-serialisable
    counts: SampleCounts
    conditions: Mapping[str, ConditionScore]

    @classmethod
    def of(
        cls, world_model: WorldModel, scores: Sequence[SampleScore], seed: int, settings: Mapping[str, Any]
    ) -> "SamplingReport":
        """Means over samples, and gains with a 95 % interval over takes."""
        conditions = list(scores[0].mse)
        mse = {condition: np.array([score.mse[condition] for score in scores]) for condition in conditions}
        takes = np.array([score.take for score in scores])
        return cls(
            checkpoint={"name": world_model.name, "sha256": world_model.sha256},
            settings=settings,
            counts=SampleCounts.of(takes, seed),
            conditions={
                condition: ConditionScore(
                    psnr_db=mean_psnr(mse[condition]),
                    pooled_psnr_db=pooled_psnr(mse[condition]),
                    ssim=float(np.mean([score.ssim[condition] for score in scores])),
                    gain_over={
                        other: paired_bootstrap(psnr(mse[condition]) - psnr(mse[other]), takes, seed)
                        for other in _references(condition)
                        if other in conditions
                    },
                )
                for condition in conditions
            },
        )

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        counts = self.counts.plain()
        return {
            "protocol": "1X sampling",
            "checkpoint": dict(self.checkpoint),
            "settings": dict(self.settings),
            **counts,
            "conditions": {
                name: {
                    "psnr_db": score.psnr_db,
                    "pooled_psnr_db": score.pooled_psnr_db,
                    "ssim": score.ssim,
                    "gain_over": {other: vars(interval) for other, interval in score.gain_over.items()},
                    **counts,
                }
                for name, score in self.conditions.items()
            },
            "unavailable": {} if "shuffled" in self.conditions else {"shuffled": SHUFFLED_UNAVAILABLE.plain()},
        }


def sampling_tables(report: SamplingReport) -> list[Table]:
    """The numbers of every condition, and the gains over the reference conditions."""
    lines = [
        [title(name), *(f"{number:.3f}" for number in (score.psnr_db, score.pooled_psnr_db, score.ssim))]
        for name, score in report.conditions.items()
    ]
    gains = [
        [f"{title(name)} above {title(other)}", gain(interval)]
        for name, score in report.conditions.items()
        for other, interval in score.gain_over.items()
    ]
    return [
        Table("The frame 2 s ahead", [str(report.counts), "PSNR, dB", "pooled PSNR, dB", "SSIM"], lines),
        Table("Differences", ["PSNR", "dB"], gains),
    ]


def sampling_card(model: TrainedModel, report: SamplingReport) -> str:
    """A model card in Markdown."""
    track = report.settings["track"]
    protocol = [
        f"1X World Model Challenge, sampling: predict frame 77 from 17 frames and 77 states, at {track['side']} px.",
        "The condition `model` is one sampled future; it is also the first future of every mean.",
        f"Sampling settings: {track['sampling']}; seed {report.counts.seed}. "
        f"Submitted: {report.settings['submitted']}.",
        *protocol_text(),
    ]
    ceiling, gains = decimals(report.conditions["resized"].psnr_db), report.conditions["model"].gain_over
    limits = [
        *limits_text(report.counts, "shuffled" in report.conditions, gains, "dB"),
        f"The true frame reaches {ceiling} dB when it is resized to the model's resolution and back: a ceiling.",
        "PSNR rewards means and blur, which are not realistic: compare SSIM, and look at the predicted frames.",
    ]
    data = data_text(report.counts, report.settings)
    return card(model, sampling_tables(report), data=data, protocol=protocol, limits=limits)


def _references(condition: str) -> tuple[str, ...]:
    """The conditions that this condition is compared with."""
    if condition == "copy_last":
        return ()
    if condition == "model":
        return ("copy_last", "shuffled")
    return ("copy_last", "model") if condition.startswith(("mean_of_", "model + ")) else ("copy_last",)
