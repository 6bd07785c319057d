"""ODE solvers and classifier-free guidance."""

import math

import pytest
import torch

from hwm_core.sampling.guidance import guided
from hwm_core.sampling.ode import STEPS, integrate


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver: str, order: int) -> None:
    # dx/dt = x + t from x(0) = 1 is 2 e^t - t - 1; at 1: 2 e - 2.
    def error(steps: int) -> float:
        x = integrate(lambda x, t: x + t, torch.ones(1, dtype=torch.float64), steps=steps, solver=solver)
        return abs(x.item() - (2 * math.e - 2))

    assert abs(math.log2(error(64) / error(128)) - order) < 0.1


@pytest.mark.parametrize(("solver", "evaluations"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_a_step_makes_one_or_two_evaluations_at_times_from_zero_to_one(solver: str, evaluations: int) -> None:
    times: list[float] = []

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        times.append(t)
        return x

    integrate(velocity, torch.ones(1), steps=3, solver=solver)
    assert len(times) == 3 * evaluations and times[0] == 0.0 and max(times) <= 1.0


@pytest.mark.parametrize("solver", STEPS)
def test_a_straight_path_is_exact_in_one_step(solver: str) -> None:
    reached = integrate(lambda x, t: torch.full_like(x, 2.0), torch.ones(3), steps=1, solver=solver)
    assert torch.equal(reached, 3 * torch.ones(3))


def test_guidance_interpolates_and_extrapolates_in_one_batch() -> None:
    batches: list[int] = []

    def predict(x: torch.Tensor, dropped: torch.Tensor) -> torch.Tensor:
        batches.append(len(x))
        return torch.where(dropped[:, None], 1.0, 3.0).expand_as(x)

    x = torch.zeros(4, 2)
    for scale, expected in ((0.0, 1.0), (1.0, 3.0), (3.0, 7.0)):  # 1 + scale * (3 - 1)
        assert torch.equal(guided(predict, x, scale), torch.full((4, 2), expected))
    assert batches == [8, 8, 8], "one pass for both predictions"
