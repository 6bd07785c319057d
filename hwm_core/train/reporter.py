"""What a training run tells the edge. The core itself prints nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Position:
    """Where a run is."""

    step: int  # optimiser steps done
    elapsed_s: float  # by the run's clock, over all resumed parts
    spent: float  # part of the budget, 0 to 1


class Reporter(Protocol):
    """Shows or stores numbers."""

    def report(self, position: Position, numbers: Mapping[str, float]) -> None:
        """Called every `report_every` steps, with names like `train/loss`, and after each evaluation."""
        ...


class Silent:
    """A reporter for runs that nobody watches."""

    def report(self, position: Position, numbers: Mapping[str, float]) -> None:
        pass
