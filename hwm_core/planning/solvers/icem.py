"""iCEM (Pinneri et al. 2020, arXiv 2008.06389): CEM with coloured noise, kept elites and shrinking batches."""

import torch
from pydantic import Field, model_validator
from torch import Tensor

from hwm_core.planning.noise import coloured_noise
from hwm_core.planning.solvers.base import Best, CostFunction, KeepGoing, Optimum
from hwm_core.planning.solvers.cem import CEMConfig, refit


class ICEMConfig(CEMConfig):
    """Settings of iCEM."""

    keep_elites: int = Field(default=2, ge=0, description="elites that are evaluated again in the next iteration")
    noise_exponent: float = Field(
        default=0.0, ge=0.0, description="0: white noise; 2: red noise, slow waves. Use it with many knots"
    )
    decay: float = Field(default=1.25, ge=1.0, description="each batch is smaller than the one before by this factor")

    @model_validator(mode="after")
    def _kept_elites_are_elites(self) -> "ICEMConfig":
        if not self.keep_elites <= self.elites:
            raise ValueError("keep_elites <= elites")
        return self


class ICEM:
    """A `Solver`."""

    def __init__(self, config: ICEMConfig) -> None:
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
        kept = mean.new_empty((0, *mean.shape))
        for iteration in range(config.iterations):
            count = max(config.elites + 1, round(config.candidates / config.decay**iteration))
            noise = coloured_noise((count, *mean.shape), config.noise_exponent, generator)
            samples = mean + deviation * noise
            samples = torch.cat([mean[None], kept, samples[1 + len(kept) :]])
            samples, _ = best.rank(samples, cost(samples))
            kept = samples[: config.keep_elites]
            mean, deviation = refit(samples[: config.elites], mean, deviation, spread, config)
            if keep_going is not None and not keep_going():
                break
        return best.optimum()
