"""The result of one trained model: its numbers, as written to a result file and read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.predictions import SAMPLES, SINGLE_SAMPLE, psnr_by_episode
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.world_model.model import WorldModel


def sample_counts(windows: EvaluationWindows) -> dict[str, int]:
    """The `n` of a result file."""
    return {"episodes": len(set(windows.episode.tolist())), "windows": len(windows), "samples_per_mean": SAMPLES}


def evaluated(world_model: WorldModel, windows: EvaluationWindows, horizons: Sequence[int]) -> dict[str, Any]:
    """Describe the model and its training, and evaluate its PSNR `horizons` frames ahead for every episode."""
    model, metadata = world_model.model, world_model.metadata
    return {
        "family": world_model.family,
        "steps": metadata["steps"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "horizons": list(horizons),
        "sampling": SINGLE_SAMPLE[world_model.family].plain(),
        "psnr_db": psnr_by_episode(world_model, windows, horizons),
        "revision": metadata["revision"],
        "recipe": metadata["recipe"],
    }


@dataclass(frozen=True)
class ModelResult:
    """A result file of one trained model."""

    document: Mapping[str, Any]  # the whole file

    @property
    def horizons(self) -> tuple[int, ...]:
        """Frames ahead."""
        return tuple(self.document["horizons"])

    def by_episode(self, condition: str, horizon: int) -> NDArray[np.float64]:
        """PSNR in dB of each episode."""
        values = np.asarray(self.document["psnr_db"][condition], np.float64)
        return values[:, self.horizons.index(horizon)]

    def psnr(self, condition: str, horizon: int) -> float:
        """Mean PSNR in dB over the episodes."""
        return float(self.by_episode(condition, horizon).mean())

    def psnr_text(self, condition: str) -> str:
        """Mean PSNR at every horizon, for a table."""
        return " / ".join(f"{self.psnr(condition, horizon):.2f}" for horizon in self.horizons)

    def action_gain(self, prediction: str, horizon: int) -> Interval:
        """PSNR in dB of the prediction above the same prediction with shuffled actions."""
        return interval(self.by_episode(prediction, horizon) - self.by_episode(f"{prediction}/shuffled", horizon))


def interval(differences: NDArray[np.float64]) -> Interval:
    """The mean of differences [E] with a 95 % bootstrap interval over episodes."""
    return paired_bootstrap(differences, np.arange(len(differences)), seed=0)
