"""Gradient descent through the dynamics, from several starts at once (Adam, Kingma and Ba 2014).

A learned model has costs below the goal's own, far from where it was trained. So no sample may leave a trust region
around the start of the search.
"""

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.solvers.base import Best, Budget, CostFunction, KeepGoing, Optimum

_BETAS, _EPSILON = (0.9, 0.99), 1e-12


class GradientConfig(Budget):
    """Settings of gradient descent."""

    candidates: int = Field(default=8, ge=2, description="starts that descend together")
    iterations: int = Field(default=10, ge=1, description="steps of each start")
    rate: float = Field(default=0.2, gt=0.0, description="size of a step, as a share of the spread")
    trust: float = Field(default=2.0, gt=0.0, description="largest distance from the start of the search, in spreads")


class Gradient:
    """A `Solver` for costs that torch can differentiate."""

    def __init__(self, config: GradientConfig) -> None:
        self._config = config

    def minimise(
        self,
        cost: CostFunction,
        mean: Tensor,
        spread: Tensor,
        generator: torch.Generator,
        keep_going: KeepGoing | None = None,
    ) -> Optimum:
        """As `Solver.minimise`. Raises BadConfig for a cost that cannot be differentiated."""
        config, best = self._config, Best(mean)
        # In units of the spread
        position = torch.randn(config.candidates, *mean.shape, generator=generator, device=mean.device)
        position = position.clamp(-config.trust, config.trust)
        position[0] = 0
        first, second = torch.zeros_like(position), torch.zeros_like(position)
        for step in range(1, config.iterations + 1):
            slope, samples, costs = _slope(cost, mean, spread, position)
            best.rank(samples, costs)
            first = torch.lerp(slope, first, _BETAS[0])
            second = torch.lerp(slope.square(), second, _BETAS[1])
            size = (second / (1 - _BETAS[1] ** step)).sqrt() + _EPSILON
            move = config.rate * first / (1 - _BETAS[0] ** step) / size
            position = (position - move).clamp(-config.trust, config.trust)
            if keep_going is not None and not keep_going():
                break
        return best.optimum()


def _slope(cost: CostFunction, mean: Tensor, spread: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients [S, K, D] of the costs at positions in units of the spread; the samples and their costs."""
    with torch.inference_mode(False), torch.enable_grad():
        variable = position.clone().requires_grad_()
        samples = mean + spread * variable
        costs = cost(samples)
        if not costs.requires_grad:
            raise BadConfig(
                "solver",
                expected="a dynamics and costs that torch can differentiate",
                got="costs without a gradient",
                remedy="Choose another solver: cem, icem or mppi.",
            )
        (slope,) = torch.autograd.grad(costs.sum(), variable)
    return slope.nan_to_num(0.0), samples.detach(), costs.detach()
