"""The cross-entropy method (Rubinstein 1999): sample, keep the elites, fit the next distribution to them."""

import torch
from pydantic import Field, model_validator
from torch import Tensor

from hwm_core.planning.solvers.base import Best, Budget, CostFunction, KeepGoing, Optimum


class CEMConfig(Budget):
    """Settings of the cross-entropy method."""

    elites: int = Field(default=8, ge=1, description="best samples, to which the next distribution is fitted")
    momentum: float = Field(default=0.1, ge=0.0, lt=1.0, description="share of the old mean and spread that is kept")
    min_spread: float = Field(default=0.05, ge=0.0, description="lower bound of the spread, as a share of its start")

    @model_validator(mode="after")
    def _elites_are_candidates(self) -> "CEMConfig":
        if not self.elites < self.candidates:
            raise ValueError("elites < candidates")
        return self


class CEM:
    """A `Solver`."""

    def __init__(self, config: CEMConfig) -> None:
        self._config = config

    def minimise(
        self,
        cost: CostFunction,
        mean: Tensor,
        spread: Tensor,
        generator: torch.Generator,
        keep_going: KeepGoing | None = None,
    ) -> Optimum:
        config, best, deviation = self._config, Best(mean), spread
        for _ in range(config.iterations):
            noise = torch.randn(config.candidates, *mean.shape, generator=generator, device=mean.device)
            noise[0] = 0  # the mean is a sample
            samples = mean + deviation * noise
            samples, _ = best.rank(samples, cost(samples))
            mean, deviation = refit(samples[: config.elites], mean, deviation, spread, config)
            if keep_going is not None and not keep_going():
                break
        return best.optimum()


def refit(elites: Tensor, mean: Tensor, deviation: Tensor, spread: Tensor, config: CEMConfig) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [K, D] of elites [E, K, D], with momentum; `spread` is the first deviation."""
    fitted = torch.lerp(elites.mean(dim=0), mean, config.momentum)
    wide = torch.lerp(elites.std(dim=0, correction=0), deviation, config.momentum)
    return fitted, wide.maximum(config.min_spread * spread)
