"""The report of the sampling track: numbers, tables and a model card."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.challenge.card_text import data_text, limits_text, protocol_text
from hwm_core.challenge.metric_networks import MetricNetworks
from hwm_core.challenge.sample_counts import SHUFFLED_UNAVAILABLE, SampleCounts
from hwm_core.challenge.sampling_scores import SampleScore
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.model_card import TrainedModel, card
from hwm_core.evaluation.table import Table, decimals, gain
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr
from hwm_core.metrics.unavailable import Unavailable
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class ConditionScore:
    """The score of one condition over all samples."""

    psnr_db: float
    pooled_psnr_db: float
    ssim: float
    lpips: float | Unavailable
    frechet: float | Unavailable  # FID with the Inception network
    gain_over: Mapping[str, Interval]  # dB, by the reference condition


@dataclass(frozen=True)
class SamplingReport:
    """The numbers of the sampling track."""

    checkpoint: Mapping[str, str]  # its name and sha256
    settings: Mapping[str, Any]  # of the run, JSON-serialisable
    counts: SampleCounts
    conditions: Mapping[str, ConditionScore]  # empty for a hidden test set
    networks: MetricNetworks

    @classmethod
    def of(
        cls,
        world_model: WorldModel,
        scores: Sequence[SampleScore],
        seed: int,
        settings: Mapping[str, Any],
        networks: MetricNetworks,
        features: Sequence[Mapping[str, NDArray[np.float32]]],
    ) -> "SamplingReport":
        """Means over samples, and gains with a 95 % interval over takes.

        Args:
            features: of each sample, as `MetricNetworks.features`.
        """
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
                    lpips=networks.lpips
                    if isinstance(networks.lpips, Unavailable)
                    else float(np.mean([score.lpips[condition] for score in scores])),
                    frechet=networks.frechet(features, condition),
                    gain_over={
                        other: paired_bootstrap(psnr(mse[condition]) - psnr(mse[other]), takes, seed)
                        for other in _references(condition)
                        if other in conditions
                    },
                )
                for condition in conditions
            },
            networks=networks,
        )

    @property
    def hidden(self) -> bool:
        """Whether the true frames are unknown."""
        return not self.conditions

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
                    "lpips": None if isinstance(score.lpips, Unavailable) else score.lpips,
                    self.frechet_name.lower(): None if isinstance(score.frechet, Unavailable) else score.frechet,
                    "gain_over": {other: vars(interval) for other, interval in score.gain_over.items()},
                    **counts,
                }
                for name, score in self.conditions.items()
            },
            "unavailable": self._unavailable(),
        }

    @property
    def frechet_name(self) -> str:
        """FID, or the name of the Fréchet distance of another network."""
        extractor = self.networks.extractor
        return extractor.metric

    def _unavailable(self) -> dict[str, dict[str, str]]:
        """What has no number, and why."""
        if self.hidden:
            return {}
        first = self.conditions["model"]
        found = {"lpips": first.lpips, self.frechet_name.lower(): first.frechet}
        missing = {name: one.plain() for name, one in found.items() if isinstance(one, Unavailable)}
        return missing if "shuffled" in self.conditions else {"shuffled": SHUFFLED_UNAVAILABLE.plain(), **missing}


def sampling_tables(report: SamplingReport) -> list[Table]:
    """The numbers of every condition, and the gains over the reference conditions."""
    sampling = report.settings["track"]["sampling"]
    lines = [
        [
            title(name),
            *_sampled(name, sampling),
            *(_number(one) for one in (score.psnr_db, score.pooled_psnr_db, score.ssim, score.lpips, score.frechet)),
        ]
        for name, score in report.conditions.items()
    ]
    head = ["steps", "samples", "CFG scale", "PSNR, dB", "pooled PSNR, dB", "SSIM", "LPIPS", report.frechet_name]
    gains = [
        [f"{title(name)} above {title(other)}", gain(interval)]
        for name, score in report.conditions.items()
        for other, interval in score.gain_over.items()
    ]
    return [
        Table("The frame 2 s ahead", [str(report.counts), *head], lines),
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


def _sampled(condition: str, sampling: Mapping[str, Any]) -> list[str]:
    """Steps, number of sampled futures, and guidance scale of a condition; "-" for those without a prediction."""
    mean = re.match(r"mean_of_(\d+)", condition)
    if mean is None and not condition.startswith(("model", "shuffled")):
        return ["-"] * 3
    guidance = sampling["guidance_scale"]
    return [str(sampling["steps"]), mean[1] if mean else "1", "-" if guidance == 1 else f"{guidance:g}"]


def _number(value: float | Unavailable) -> str:
    return "unavailable" if isinstance(value, Unavailable) else f"{value:.3f}"


def _references(condition: str) -> tuple[str, ...]:
    """The conditions that this condition is compared with."""
    if condition == "copy_last":
        return ()
    if condition == "model":
        return ("copy_last", "shuffled")
    return ("copy_last", "model") if condition.startswith(("mean_of_", "model + ")) else ("copy_last",)
