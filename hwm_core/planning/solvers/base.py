"""What every solver of the search has in common: it minimises a function of samples, batch by batch.

Nothing here is specific to robots. Results stay on the device of the samples: a solver never waits for the GPU, unless
a deadline has to be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config

CostFunction = Callable[[Tensor], Tensor]
"""Costs [S] of samples [S, K, D], all in one call. NaN counts as infinite."""

KeepGoing = Callable[[], bool]
"""Called after an iteration; False ends the search with the best sample so far."""


class Budget(Config):
    """How much a solver may evaluate."""

    candidates: int = Field(default=64, ge=2, description="samples per iteration")
    iterations: int = Field(default=3, ge=1, description="iterations of sampling and refitting")


@dataclass(frozen=True)
class Optimum:
    """The best sample found, and its cost."""

    best: Tensor  # [K, D]
    cost: Tensor  # []
    iterations: int  # that were run
    evaluated: int  # samples


class Solver(Protocol):
    """One way to search."""

    def minimise(
        self,
        cost: CostFunction,
        mean: Tensor,
        spread: Tensor,
        generator: torch.Generator,
        keep_going: KeepGoing | None = None,
    ) -> Optimum:
        """Search for the sample of the lowest cost. `mean` is among the samples, so the result is never worse.

        Args:
            cost: costs of samples.
            mean: [K, D] start of the search.
            spread: [K, D] first standard deviation; 0 keeps that number constant.
            generator: of the samples.
            keep_going: for a deadline; None runs all iterations.
        """
        ...


class Best:
    """The best sample so far, without waiting for the GPU."""

    def __init__(self, mean: Tensor) -> None:
        self.sample, self.cost = mean, mean.new_full((), torch.inf)
        self.iterations = self.evaluated = 0

    def rank(self, samples: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """Sort samples [S, K, D] and costs [S] by cost, and remember the best."""
        costs = torch.where(costs.isnan(), torch.inf, costs)
        order = costs.argsort(stable=True)
        samples, costs = samples[order], costs[order]
        better = costs[0] < self.cost
        self.sample, self.cost = torch.where(better, samples[0], self.sample), torch.where(better, costs[0], self.cost)
        self.iterations, self.evaluated = self.iterations + 1, self.evaluated + len(samples)
        return samples, costs

    def optimum(self) -> Optimum:
        return Optimum(self.sample, self.cost, self.iterations, self.evaluated)
