"""What a training run tells the edge. The core itself prints nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hwm_core.visualization.preview_sheet import Preview


@dataclass(frozen=True)
class Position:
    """Where a run is."""

    step: int  # optimiser steps done
    elapsed_s: float  # by the run's clock, over all resumed parts
    spent: float  # part of the budget, 0 to 1


class Reporter(Protocol):
    """Shows or stores numbers and pictures."""

    def report(self, position: Position, numbers: Mapping[str, float]) -> None:
        """Called every `report_every` steps, with names like `train/loss`, and after each evaluation."""
        ...

    def show(self, step: int, made: str, samples: Sequence[Preview]) -> None:
        """Called at each evaluation with the same held-out windows; `made` names what is not truth."""
        ...


class Silent:
    """A reporter for runs that nobody watches."""

    def report(self, position: Position, numbers: Mapping[str, float]) -> None:
        pass

    def show(self, step: int, made: str, samples: Sequence[Preview]) -> None:
        pass
