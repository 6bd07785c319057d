"""Scores of the sampling track: PSNR and SSIM of every condition."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwm_core.challenge.forecast_samples import ForecastSample
from hwm_core.challenge.forecasts import Frame
from hwm_core.challenge.report import no_donors
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.psnr import frame_mse, mean_psnr, pooled_psnr, psnr
from hwm_core.metrics.ssim import frame_ssim
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class SampleScore:
    """The errors of one sample, by condition."""

    name: str
    take: int
    mse: Mapping[str, float]
    ssim: Mapping[str, float]

    @classmethod
    def of(cls, sample: ForecastSample, frames: Mapping[str, Frame]) -> "SampleScore":
        """Compare the frames of every condition with the target frame."""
        return cls(
            sample.name,
            sample.take,
            {condition: float(frame_mse(frame, sample.truth)) for condition, frame in frames.items()},
            {condition: float(frame_ssim(frame, sample.truth)) for condition, frame in frames.items()},
        )

    def plain(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def sampling_report(
    world_model: WorldModel, scores: Sequence[SampleScore], seed: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON-able report: means over samples, and gains with a 95 % interval over takes."""
    conditions = list(scores[0].mse)
    mse = {condition: np.array([score.mse[condition] for score in scores]) for condition in conditions}
    takes = np.array([score.take for score in scores])
    origin = {"samples": len(scores), "takes": len(np.unique(takes)), "seed": seed}
    return {
        "protocol": "1X sampling",
        "checkpoint": {"name": world_model.name, "sha256": world_model.sha256},
        "settings": dict(settings),
        **origin,
        "conditions": {
            condition: {
                "psnr_db": mean_psnr(mse[condition]),
                "pooled_psnr_db": pooled_psnr(mse[condition]),
                "ssim": float(np.mean([score.ssim[condition] for score in scores])),
                "gain_over": {
                    other: vars(paired_bootstrap(psnr(mse[condition]) - psnr(mse[other]), takes, seed))
                    for other in _references(condition)
                    if other in conditions
                },
                **origin,
            }
            for condition in conditions
        },
        "unavailable": {} if "shuffled" in conditions else {"shuffled": no_donors().plain()},
    }


def _references(condition: str) -> tuple[str, ...]:
    """The conditions that this condition is compared with."""
    if condition == "copy_last":
        return ()
    if condition == "model":
        return ("copy_last", "shuffled")
    return ("copy_last", "model") if condition.startswith(("mean_of_", "model + ")) else ("copy_last",)
