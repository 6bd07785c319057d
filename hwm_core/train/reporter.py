"""What a training run reports. The library itself prints nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hwm_core.visualization.preview_sheet import Preview


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int  # optimiser steps done
    elapsed_s: float  # by the run's clock, over all resumed parts
    budget_used: float  # fraction of the budget, 0 to 1


class Reporter(Protocol):
    """Shows or stores metrics and images."""

    def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        """Called after the first step, every `report_every` steps (names like `train/loss`), and each evaluation."""
        ...

    def show_previews(self, step: int, label: str, previews: Sequence[Preview]) -> None:
        """Called at each evaluation with the same held-out windows; `label` names the model's output."""
        ...


class NullReporter:
    """Reports nothing."""

    def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        pass

    def show_previews(self, step: int, label: str, previews: Sequence[Preview]) -> None:
        pass
