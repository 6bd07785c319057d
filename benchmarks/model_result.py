"""The numbers that a result file gives for one trained model."""

from collections.abc import Sequence
from typing import Any

from benchmarks.predictions import SAMPLES, SINGLE_SAMPLE, psnr_by_episode
from hwm_core.evaluation.windows import EvaluationWindows
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
