"""The evaluation of one checkpoint, and the label of the checkpoint in reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.json_report import (
    conditions_json,
    controllability_json,
    distances_json,
    psnr_tables_json,
    sensitivity_json,
    tokens_json,
)
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.tables import markdown
from hwm_core.metrics.unavailable import Unavailable
from hwm_core.precision import precision_name
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class CheckpointEvaluation:
    """The evaluation of one checkpoint."""

    label: str  # its name, unique among the checkpoints of the same run
    protocol: str
    source: str  # a phrase that describes the source of the episodes
    evaluation: Evaluation
    result: EvaluationResult
    missing_files: tuple[Unavailable, ...] = ()  # requested distances whose network file is missing

    @property
    def world_model(self) -> WorldModel:
        return self.evaluation.world_model

    @property
    def unavailable(self) -> tuple[Unavailable, ...]:
        """All requested metrics that are missing, with the reasons."""
        return (*self.missing_files, *self.evaluation.unavailable)

    def markdown(self) -> str:
        """The tables and the missing metrics, for table.md."""
        return markdown(self.result) + "".join(f"\n{metric}\n" for metric in self.unavailable)

    def to_json(self) -> dict[str, Any]:
        """All numbers, JSON-serialisable, for evaluation.json."""
        settings = self.evaluation.config
        return {
            "checkpoint": describe(self.world_model),
            **computed_on(self.world_model),
            "protocol": self.protocol,
            "source": self.source,
            "episodes": list(self.result.windows.episode_names),
            "settings": settings.plain(),
            **psnr_tables_json(self.result),
            "conditions": conditions_json(self.result, settings),
            "controllability_db": controllability_json(self.result),
            "distances": {
                **distances_json(self.result),
                **{one.metric: one.plain() for one in (*self.missing_files, *self.evaluation.features.unavailable)},
            },
            "networks": self.evaluation.networks,
            "unavailable": {one.metric: one.plain() for one in self.unavailable},
            "tokens": tokens_json(self.result),
            "sensitivity": sensitivity_json(self.result),
        }


def labels(world_models: Sequence[WorldModel]) -> list[str]:
    """A unique label for each checkpoint: its name; if names repeat, also part of its sha256 and its position."""
    names = [model.name for model in world_models]
    found = [f"{m.name}-{m.sha256[:8]}" if names.count(m.name) > 1 else m.name for m in world_models]
    return [f"{label}-{i + 1}" if found.count(label) > 1 else label for i, label in enumerate(found)]


def describe(world_model: WorldModel) -> dict[str, Any]:
    """The checkpoint, JSON-serialisable: name, sha256, number of parameters."""
    return {"name": world_model.name, "sha256": world_model.sha256, "parameters": world_model.num_parameters}


def computed_on(world_model: WorldModel) -> dict[str, str]:
    """Device and precision of the arithmetic, JSON-serialisable."""
    return {"device": str(world_model.device), "dtype": precision_name(world_model.dtype)}


def caption(world_model: WorldModel, sampling: Sampling) -> str:
    """The checkpoint in one line, for contact sheets."""
    size = f"{world_model.preprocessing.width} x {world_model.preprocessing.height} px"
    millions = world_model.num_parameters / 1e6
    steps = f"{sampling.steps} sampling step" + ("s" if sampling.steps > 1 else "")
    return f"{world_model.name}: {millions:.1f} M parameters, {size} at {world_model.frame_rate_hz:g} Hz, {steps}"
