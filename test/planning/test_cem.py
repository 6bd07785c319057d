"""The cross-entropy method on functions whose minimum is known."""

import pytest
import torch

from hwm_core.errors import BadConfig
from hwm_core.planning.cem import CEMConfig, Optimum, minimise

TARGET = torch.tensor([[1.0, -2.0], [0.5, 3.0]])


def quadratic(samples: torch.Tensor) -> torch.Tensor:
    return (samples - TARGET).square().sum(dim=(1, 2))


def search(cost=quadratic, seed: int = 0, mean=None, spread=None, keep_going=lambda: True, **config) -> Optimum:
    mean = torch.zeros(2, 2) if mean is None else mean
    spread = torch.full_like(mean, 2.0) if spread is None else spread
    return minimise(cost, mean, spread, CEMConfig(**config), torch.Generator().manual_seed(seed), keep_going)


def test_it_finds_the_minimum_of_a_quadratic() -> None:
    optimum = search(iterations=20, min_spread=0.001)
    assert optimum.cost < 1e-3
    assert torch.allclose(optimum.best, TARGET, atol=0.03)


def test_the_same_seed_gives_the_same_result() -> None:
    assert torch.equal(search(seed=3).best, search(seed=3).best)
    assert not torch.equal(search(seed=3).best, search(seed=4).best)


def test_the_result_is_never_worse_than_the_start() -> None:
    assert search(mean=TARGET.clone(), iterations=1).cost == 0.0


def test_the_best_cost_never_rises() -> None:
    costs = [search(iterations=count).cost for count in range(1, 9)]  # one seed: each search continues the one before
    assert costs == sorted(costs, reverse=True)


def test_the_returned_cost_is_the_cost_of_the_returned_sample() -> None:
    optimum = search(iterations=3)
    assert float(quadratic(optimum.best[None])) == pytest.approx(optimum.cost)


def test_numbers_without_spread_stay_constant() -> None:
    optimum = search(spread=torch.tensor([[2.0, 0.0], [2.0, 2.0]]))
    assert optimum.best[0, 1] == 0.0


def test_it_stops_early_and_returns_the_best_so_far() -> None:
    answers = iter([True, False])
    stopped = search(iterations=9, keep_going=lambda: next(answers))
    assert torch.equal(stopped.best, search(iterations=2).best) and next(answers, None) is None


def test_every_cost_call_evaluates_all_candidates_at_once() -> None:
    shapes = []
    search(
        cost=lambda samples: shapes.append(samples.shape) or quadratic(samples), candidates=10, elites=3, iterations=2
    )
    assert shapes == [(10, 2, 2), (10, 2, 2)]


def test_kept_elites_are_evaluated_again() -> None:
    batches: list[torch.Tensor] = []
    search(cost=lambda samples: batches.append(samples) or quadratic(samples), iterations=2, keep_elites=2)
    best_two = batches[0][quadratic(batches[0]).argsort()[:2]]
    assert torch.equal(batches[1][1:3], best_two)


def test_a_nan_cost_is_never_chosen() -> None:
    def broken_half(samples: torch.Tensor) -> torch.Tensor:
        return torch.where(samples[:, 0, 0] > 0, torch.nan, quadratic(samples))

    optimum = search(cost=broken_half)
    assert optimum.best[0, 0] <= 0
    assert optimum.cost == optimum.cost


def test_momentum_keeps_a_share_of_the_old_mean() -> None:
    def second_mean(momentum: float) -> torch.Tensor:
        batches: list[torch.Tensor] = []
        search(lambda samples: batches.append(samples) or quadratic(samples), iterations=2, momentum=momentum)
        return batches[1][0]  # the mean is the first sample

    # With momentum 0.75 the second mean is 0.75 * 0 + 0.25 * elites.
    assert torch.allclose(second_mean(0.75), 0.25 * second_mean(0.0))


def test_more_elites_than_candidates_are_rejected() -> None:
    with pytest.raises(BadConfig, match="elites"):
        CEMConfig.parse({"candidates": 4, "elites": 8})
