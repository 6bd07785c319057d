"""MPPI (Williams et al. 2017): the next mean is the average of all samples, weighted by their costs."""

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.planning.noise import coloured_noise
from hwm_core.planning.solvers.base import Best, Budget, CostFunction, KeepGoing, Optimum


class MPPIConfig(Budget):
    """Settings of MPPI."""

    temperature: float = Field(
        default=0.1, gt=0.0, description="of the soft minimum, in standard deviations of the costs of a batch"
    )
    shrink: float = Field(default=0.6, gt=0.0, le=1.0, description="factor of the spread after each iteration")
    noise_exponent: float = Field(
        default=0.0, ge=0.0, description="0: white noise; 2: red noise, slow waves. Use it with many knots"
    )


class MPPI:
    """A `Solver`."""

    def __init__(self, config: MPPIConfig) -> None:
        self._config = config

    def minimise(
        self,
        cost: CostFunction,
        mean: Tensor,
        spread: Tensor,
        generator: torch.Generator,
        keep_going: KeepGoing | None = None,
    ) -> Optimum:
        config, best = self._config, Best(mean)
        for iteration in range(config.iterations):
            noise = coloured_noise((config.candidates, *mean.shape), config.noise_exponent, generator)
            noise[0] = 0  # the mean is a sample
            samples = mean + config.shrink**iteration * spread * noise
            samples, costs = best.rank(samples, cost(samples))
            usable = costs.isfinite()
            excess = torch.where(usable, costs - costs[0], 0)
            deviation = (excess.square().sum() / usable.sum()).sqrt().clamp(min=1e-12)
            weights = torch.where(usable, (-excess / (config.temperature * deviation)).exp(), 0)
            mean = (weights[:, None, None] * samples).sum(dim=0) / weights.sum().clamp(min=1e-12)
            if keep_going is not None and not keep_going():
                break
        return best.optimum()
