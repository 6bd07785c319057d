"""Scores of the sampling track: the errors of a sample under every condition."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hwm_core.challenge.forecast_samples import ForecastSample
from hwm_core.challenge.forecasts import Frame
from hwm_core.challenge.metric_networks import MetricNetworks
from hwm_core.metrics.psnr import frame_mse
from hwm_core.metrics.ssim import frame_ssim


@dataclass(frozen=True)
class SampleScore:
    """The errors of one sample, by condition."""

    name: str
    take: int
    mse: Mapping[str, float]  # all are empty for a hidden sample
    ssim: Mapping[str, float]
    lpips: Mapping[str, float]  # also empty without a network

    @classmethod
    def of(cls, sample: ForecastSample, frames: Mapping[str, Frame], networks: MetricNetworks) -> "SampleScore":
        """Compare the frames of every condition with the target frame, if it is known."""
        truth = sample.truth
        if truth is None:
            return cls(sample.name, sample.take, {}, {}, {})
        return cls(
            sample.name,
            sample.take,
            {condition: float(frame_mse(frame, truth)) for condition, frame in frames.items()},
            {condition: float(frame_ssim(frame, truth)) for condition, frame in frames.items()},
            networks.distances(frames, truth),
        )

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)
