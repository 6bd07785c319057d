"""What a benchmark that trains and judges a model says of it."""

from collections.abc import Sequence
from typing import Any

from benchmarks.predictions import SAMPLES, SINGLE, judge
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.world_model.model import WorldModel


def counted(windows: EvaluationWindows) -> dict[str, int]:
    """The `n` of a result."""
    return {"episodes": len(set(windows.episode.tolist())), "windows": len(windows), "samples_of_mean": SAMPLES}


def evaluated(world_model: WorldModel, windows: EvaluationWindows, horizons: Sequence[int]) -> dict[str, Any]:
    """PSNR by episode at `horizons`, and the model that it is of."""
    model, metadata = world_model.model, world_model.metadata
    return {
        "family": world_model.family,
        "steps": metadata["steps"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "horizons": list(horizons),
        "sampling": SINGLE[world_model.family].plain(),
        "psnr_db": judge(world_model, windows, horizons),
        "revision": metadata["revision"],
        "recipe": metadata["recipe"],
    }
