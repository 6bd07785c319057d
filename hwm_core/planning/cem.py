"""The cross-entropy method (Rubinstein 1999), with the carried elites and coloured noise of iCEM (arXiv 2008.06389).

It knows nothing of robots: any function from samples to costs will do.
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
    """How long and how widely to search."""

    candidates: int = Field(default=64, ge=2, description="samples per iteration, S")
    iterations: int = Field(default=3, ge=1, description="how often the candidates are drawn anew")
    elites: int = Field(default=8, ge=1, description="the best samples, which shape the next iteration")
    keep_elites: int = Field(default=2, ge=0, description="elites that are judged again in the next iteration")
    momentum: float = Field(default=0.1, ge=0.0, lt=1.0, description="share of the old mean and spread that stays")
    min_spread: float = Field(default=0.05, ge=0.0, description="the spread never falls below this share of its start")
    noise_exponent: float = Field(default=0.0, ge=0.0, description="0: white; 2: slow waves. For many knots")

    @model_validator(mode="after")
    def _elites_are_candidates(self) -> "CEMConfig":
        if not self.keep_elites <= self.elites < self.candidates:
            raise ValueError("keep_elites <= elites < candidates")
        return self


@dataclass(frozen=True)
class Iteration:
    """What there is to tell after one iteration."""

    number: int  # from 1
    of: int
    best_cost: float  # the lowest so far
    spread: float  # mean standard deviation of the next iteration's samples


@dataclass(frozen=True)
class Optimum:
    """The best sample that was judged, and the distribution the search ended with."""

    best: Tensor  # [K, D]
    cost: float
    mean: Tensor  # [K, D]
    iterations: int  # done; fewer than asked for when stopped


def go_on(_: Iteration) -> bool:
    return True


def minimise(
    cost: CostFunction,
    mean: Tensor,
    spread: Tensor,
    config: CEMConfig,
    generator: torch.Generator,
    keep_going: Callable[[Iteration], bool] = go_on,
) -> Optimum:
    """Search around `mean` [K, D] with standard deviation `spread` [K, D] (0: that number stays as it is).

    The mean itself is always among the samples, so the result is never worse than where the search began.
    `keep_going` hears of every iteration and returns False to stop early.
    """
    floor, deviation = config.min_spread * spread, spread
    best, best_cost = mean, float("inf")
    elites = mean.new_empty((0, *mean.shape))
    for number in range(1, config.iterations + 1):
        noise = coloured_noise((config.candidates, *mean.shape), config.noise_exponent, generator)
        samples = _with_kept(mean + deviation * noise, mean, elites[: config.keep_elites])
        costs = cost(samples)
        order = costs.argsort(stable=True)
        elites = samples[order[: config.elites]]
        mean = torch.lerp(elites.mean(dim=0), mean, config.momentum)
        deviation = torch.lerp(elites.std(dim=0, correction=0), deviation, config.momentum).maximum(floor)
        if float(costs[order[0]]) < best_cost:
            best, best_cost = elites[0], float(costs[order[0]])
        told = Iteration(number, config.iterations, best_cost, float(deviation.mean()))
        if not keep_going(told):
            break
    return Optimum(best, best_cost, mean, number)


def _with_kept(samples: Tensor, mean: Tensor, keep_elites: Tensor) -> Tensor:
    """The first samples give way to the mean and to the carried elites."""
    return torch.cat([mean[None], keep_elites, samples[1 + len(keep_elites) :]])
