"""The cross-entropy method (Rubinstein 1999), with the kept elites and the coloured noise of iCEM (arXiv 2008.06389).

It minimises any function of samples; nothing here is specific to robots.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import Field, model_validator
from torch import Tensor

from hwm_core.config import Config
from hwm_core.planning.noise import coloured_noise

CostFunction = Callable[[Tensor], Tensor]  # samples [S, K, D] -> costs [S]


class CEMConfig(Config):
    """Settings of the search."""

    candidates: int = Field(default=64, ge=2, description="samples per iteration, S")
    iterations: int = Field(default=3, ge=1, description="iterations of sampling and refitting")
    elites: int = Field(default=8, ge=1, description="best samples, to which the next distribution is fitted")
    keep_elites: int = Field(default=2, ge=0, description="elites that are evaluated again in the next iteration")
    momentum: float = Field(default=0.1, ge=0.0, lt=1.0, description="share of the old mean and spread that is kept")
    min_spread: float = Field(default=0.05, ge=0.0, description="lower bound of the spread, as a share of its start")
    noise_exponent: float = Field(
        default=0.0, ge=0.0, description="0: white noise; 2: red noise, slow waves. Use it with many knots"
    )

    @model_validator(mode="after")
    def _elites_are_candidates(self) -> "CEMConfig":
        if not self.keep_elites <= self.elites < self.candidates:
            raise ValueError("keep_elites <= elites < candidates")
        return self


@dataclass(frozen=True)
class Optimum:
    """The best sample found."""

    best: Tensor  # [K, D]
    cost: float


def always() -> bool:
    """The default of `keep_going`: all iterations run."""
    return True


def minimise(
    cost: CostFunction,
    mean: Tensor,
    spread: Tensor,
    config: CEMConfig,
    generator: torch.Generator,
    keep_going: Callable[[], bool] = always,
) -> Optimum:
    """Search for the sample of the lowest cost.

    The mean is always among the samples, so the result is never worse than the start.

    Args:
        cost: costs [S] of samples [S, K, D], all in one call.
        mean: [K, D] start of the search.
        spread: [K, D] first standard deviation; 0 keeps that number constant.
        config: settings of the search.
        generator: of the samples.
        keep_going: called after every iteration; False stops the search.
    """
    floor, deviation = config.min_spread * spread, spread
    best, best_cost = mean, float("inf")
    elites = mean.new_empty((0, *mean.shape))
    for _ in range(config.iterations):
        noise = coloured_noise((config.candidates, *mean.shape), config.noise_exponent, generator)
        samples = _with_kept(mean + deviation * noise, mean, elites[: config.keep_elites])
        costs = cost(samples)
        order = costs.argsort(stable=True)
        elites = samples[order[: config.elites]]
        mean = torch.lerp(elites.mean(dim=0), mean, config.momentum)
        deviation = torch.lerp(elites.std(dim=0, correction=0), deviation, config.momentum).maximum(floor)
        if float(costs[order[0]]) < best_cost:
            best, best_cost = elites[0], float(costs[order[0]])
        if not keep_going():
            break
    return Optimum(best, best_cost)


def _with_kept(samples: Tensor, mean: Tensor, kept: Tensor) -> Tensor:
    """Replace the first samples by the mean and the kept elites."""
    return torch.cat([mean[None], kept, samples[1 + len(kept) :]])
