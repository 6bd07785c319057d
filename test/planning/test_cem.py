"""The search itself, on functions whose lowest point is known."""

import pytest
import torch

from hwm_core.errors import BadConfig
from hwm_core.planning.cem import CEMConfig, Iteration, minimise
from hwm_core.planning.noise import coloured_noise
from hwm_core.planning.spline import knot_frames, spline_basis

TARGET = torch.tensor([[1.0, -2.0], [0.5, 3.0]])


def quadratic(samples: torch.Tensor) -> torch.Tensor:
    return (samples - TARGET).square().sum(dim=(1, 2))


def search(cost=quadratic, seed: int = 0, mean=None, spread=None, keep_going=lambda _: True, **config):
    mean = torch.zeros(2, 2) if mean is None else mean
    spread = torch.full_like(mean, 2.0) if spread is None else spread
    return minimise(cost, mean, spread, CEMConfig(**config), torch.Generator().manual_seed(seed), keep_going)


def test_it_finds_the_lowest_point_of_a_quadratic() -> None:
    optimum = search(iterations=20, min_spread=0.001)
    assert optimum.cost < 1e-3
    assert torch.allclose(optimum.best, TARGET, atol=0.03)


def test_a_seed_decides_everything() -> None:
    assert torch.equal(search(seed=3).best, search(seed=3).best)
    assert not torch.equal(search(seed=3).best, search(seed=4).best)


def test_the_result_is_never_worse_than_the_start() -> None:
    assert search(mean=TARGET.clone(), iterations=1).cost == 0.0


def test_the_cost_of_the_best_never_rises() -> None:
    costs: list[float] = []
    search(iterations=8, keep_going=lambda iteration: costs.append(iteration.best_cost) or True)
    assert costs == sorted(costs, reverse=True)


def test_the_cost_given_back_is_that_of_the_sample_given_back() -> None:
    optimum = search(iterations=3)
    assert float(quadratic(optimum.best[None])) == pytest.approx(optimum.cost)


def test_numbers_without_spread_stay_as_they_are() -> None:
    optimum = search(spread=torch.tensor([[2.0, 0.0], [2.0, 2.0]]))
    assert optimum.best[0, 1] == 0.0


def test_it_stops_when_told_and_gives_what_it_has() -> None:
    iterations: list[Iteration] = []

    def first_two(iteration: Iteration) -> bool:
        iterations.append(iteration)
        return iteration.number < 2

    assert search(iterations=9, keep_going=first_two).iterations == 2
    assert [(iteration.number, iteration.total) for iteration in iterations] == [(1, 9), (2, 9)]


def test_every_cost_call_judges_all_candidates_at_once() -> None:
    shapes = []
    search(
        cost=lambda samples: shapes.append(samples.shape) or quadratic(samples), candidates=10, elites=3, iterations=2
    )
    assert shapes == [(10, 2, 2), (10, 2, 2)]


def test_carried_elites_are_judged_again() -> None:
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
    # momentum 0.75 over one iteration: mean = 0.75 * 0 + 0.25 * elites
    free = search(iterations=1, momentum=0.0).mean
    assert torch.allclose(search(iterations=1, momentum=0.75).mean, 0.25 * free)


def test_more_elites_than_candidates_are_rejected() -> None:
    with pytest.raises(BadConfig, match="elites"):
        CEMConfig.parse({"candidates": 4, "elites": 8})


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("steps", [7, 8])
def test_coloured_noise_has_unit_variance(exponent: float, steps: int) -> None:
    noise = coloured_noise((4000, steps, 2), exponent, torch.Generator().manual_seed(0))
    assert float(noise.square().mean()) == pytest.approx(1.0, abs=0.05)


def test_red_noise_moves_slowly() -> None:
    def roughness(exponent: float) -> float:
        return float(
            coloured_noise((500, 24, 1), exponent, torch.Generator().manual_seed(0)).diff(dim=1).square().mean()
        )

    assert roughness(2.0) < 0.3 * roughness(0.0)


def test_knots_are_spread_evenly_and_the_last_is_the_last_frame() -> None:
    assert knot_frames(3, 24) == [7, 15, 23]


def test_the_spline_passes_through_its_knots() -> None:
    knots = torch.tensor([0.3, -1.0, 2.0])
    assert torch.allclose((spline_basis(3, 24) @ knots)[[7, 15, 23]], knots, atol=1e-6)


def test_the_spline_starts_at_rest_position_and_ends_at_rest() -> None:
    curve = spline_basis(2, 24) @ torch.tensor([1.0, 2.0])
    # From 0 at frame -1 with the chord's tangent 1/12: the first step is close to one chord step.
    assert float(curve[0]) == pytest.approx(1 / 12, abs=0.02)
    # Tangent 0 at the last frame: the last step of a cubic is of second order, under a third of the chord step.
    assert 0 <= float(curve[-1] - curve[-2]) < 1 / 36


def test_a_knot_on_every_frame_is_no_spline_at_all() -> None:
    assert torch.equal(spline_basis(8, 8), torch.eye(8))
