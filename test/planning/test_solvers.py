"""Every solver on functions whose minimum is known."""

import pytest
import torch
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.solvers.base import Optimum
from hwm_core.planning.solvers.icem import ICEMConfig
from hwm_core.planning.solvers.table import SolverConfigs, make_solver

TARGET = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
ALL = ("cem", "icem", "mppi", "gradient")
SAMPLING = ("cem", "icem", "mppi")


def quadratic(samples: Tensor) -> Tensor:
    return (samples - TARGET).square().sum(dim=(1, 2))


def search(name: str, cost=quadratic, seed: int = 0, mean=None, spread=None, keep_going=None, **settings) -> Optimum:
    mean = torch.zeros(2, 2) if mean is None else mean
    spread = torch.full_like(mean, 2.0) if spread is None else spread
    solver = make_solver(name, SolverConfigs.parse({name: settings}))
    return solver.minimise(cost, mean, spread, torch.Generator().manual_seed(seed), keep_going)


def batches_of(name: str, **settings) -> list[Tensor]:
    batches: list[Tensor] = []
    search(name, lambda samples: batches.append(samples) or quadratic(samples), **settings)
    return batches


@pytest.mark.parametrize("name", ALL)
def test_it_finds_the_minimum_of_a_quadratic(name: str) -> None:
    settings = {"iterations": 60} if name == "gradient" else {"iterations": 20}
    if name in ("cem", "icem"):
        settings |= {"min_spread": 0.001, "candidates": 64}
    optimum = search(name, **settings)
    assert torch.allclose(optimum.best, TARGET, atol=0.1)
    assert optimum.cost < 0.02


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    assert torch.equal(search(name, seed=3).best, search(name, seed=3).best)
    assert not torch.equal(search(name, seed=3).best, search(name, seed=4).best)


@pytest.mark.parametrize("name", ALL)
def test_the_result_is_never_worse_than_the_start(name: str) -> None:
    assert search(name, mean=TARGET.clone(), iterations=1).cost == 0.0


@pytest.mark.parametrize("name", ALL)
def test_the_best_cost_never_rises(name: str) -> None:
    costs = [float(search(name, iterations=count).cost) for count in range(1, 7)]  # each continues the one before
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("name", ALL)
def test_the_returned_cost_is_the_cost_of_the_returned_sample(name: str) -> None:
    optimum = search(name)
    assert float(quadratic(optimum.best[None])) == pytest.approx(float(optimum.cost))


@pytest.mark.parametrize("name", ALL)
def test_numbers_without_spread_stay_constant(name: str) -> None:
    optimum = search(name, spread=torch.tensor([[2.0, 0.0], [2.0, 2.0]]))
    assert optimum.best[0, 1] == 0.0


@pytest.mark.parametrize("name", ALL)
def test_it_stops_early_and_returns_the_best_so_far(name: str) -> None:
    answers = iter([True, False])
    stopped = search(name, iterations=9, keep_going=lambda: next(answers))
    assert torch.equal(stopped.best, search(name, iterations=2).best) and next(answers, None) is None
    assert stopped.iterations == 2


@pytest.mark.parametrize("name", ALL)
def test_a_nan_cost_is_never_chosen(name: str) -> None:
    def broken_half(samples: Tensor) -> Tensor:
        return torch.where(samples[:, 0, 0] > 0, torch.nan, quadratic(samples))

    optimum = search(name, broken_half)
    assert optimum.best[0, 0] <= 0
    assert optimum.cost.isfinite()


@pytest.mark.parametrize("name", SAMPLING)
def test_every_cost_call_evaluates_all_candidates_at_once(name: str) -> None:
    settings = {"icem": {"elites": 3, "decay": 1.0}, "cem": {"elites": 3}, "mppi": {}}[name]
    assert [len(batch) for batch in batches_of(name, candidates=10, iterations=2, **settings)] == [10, 10]


def test_batches_of_icem_shrink() -> None:
    assert [len(batch) for batch in batches_of("icem", candidates=100, iterations=3, decay=2.0)] == [100, 50, 25]


def test_elites_that_icem_keeps_are_evaluated_again() -> None:
    first, second = batches_of("icem", iterations=2, keep_elites=2)
    assert torch.equal(second[1:3], first[quadratic(first).argsort()[:2]])


@pytest.mark.parametrize("name", ["cem", "icem"])
def test_momentum_keeps_a_share_of_the_old_mean(name: str) -> None:
    quick, slow = (batches_of(name, iterations=2, momentum=momentum)[1][0] for momentum in (0.0, 0.75))
    assert torch.allclose(slow, 0.25 * quick)  # the mean is the first sample; the old mean is 0


def test_mppi_with_a_low_temperature_follows_the_best_sample() -> None:
    first, second = batches_of("mppi", iterations=2, temperature=1e-4)
    assert torch.allclose(second[0], first[quadratic(first).argmin()], atol=1e-4)


def test_gradient_steps_stay_in_the_trust_region() -> None:
    batches = batches_of("gradient", iterations=40, trust=0.5)
    assert max(float(batch.detach().abs().max()) for batch in batches) <= 0.5 * 2.0 + 1e-6


def test_a_cost_without_a_gradient_is_rejected() -> None:
    with pytest.raises(BadConfig, match="another solver"):
        search("gradient", lambda samples: quadratic(samples.detach()))


@pytest.mark.parametrize("broken", [{"candidates": 4, "elites": 8}, {"elites": 2, "keep_elites": 3}])
def test_settings_that_contradict_each_other_are_rejected(broken: dict) -> None:
    with pytest.raises(BadConfig, match="elites"):
        ICEMConfig.parse(broken)
