"""Successive halving, with predictions that are wrong by a known amount."""

import pytest
import torch
from spot_dynamics import SpotDynamics, goal_at, space
from torch import Tensor
from waits import Waits

from hwm_core.errors import BadConfig
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.halving import Halving
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.planning.search import Search
from hwm_core.planning.search_config import SearchConfig
from hwm_core.types import Rollout

OBJECTIVE = Objective.parse(
    {
        "goal_changes": {"weight": 0.0},
        "goal_colours": {"weight": 1.0, "discount": 0.0},
        "smoothness": {"weight": 0.0},
        "lateness": {"weight": 0.0},
    }
)
PAST = torch.tensor([[8.0, 0.0], [8.0, 0.0]])


class Graded(SpotDynamics):
    """With few steps the spot is predicted 4 / steps cells too far to the right."""

    def __init__(self, steps: int = 0, counts: dict[int, list[int]] | None = None) -> None:
        self._steps, self.counts = steps, {} if counts is None else counts

    def at_steps(self, steps: int) -> "Graded":
        return Graded(steps, self.counts)

    def rollout(self, past: Tensor, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        self.counts.setdefault(self._steps, []).append(len(candidates))
        shift = 4 / self._steps if self._steps else 0.0
        return super().rollout(past, candidates + shift, last_latents)


def candidates(*ends: float) -> Tensor:
    slide = torch.tensor(ends)[:, None].expand(-1, 12)
    return torch.stack([slide, torch.zeros_like(slide)], dim=-1)


def costs(ends: Tensor, steps: tuple[int, ...] = (1, 4), kept: float = 0.5, first: int = 0, dynamics=None) -> Tensor:
    halving = Halving(dynamics or Graded(), OBJECTIVE, space(), steps, kept)
    return halving.costs(PAST, goal_at(5.0), ends, first)


def test_each_prediction_passes_its_share_on_to_the_next() -> None:
    dynamics = Graded()
    costs(candidates(*range(16)), dynamics=dynamics)
    assert dynamics.counts == {1: [16], 4: [8], 0: [4]}


def test_the_best_have_the_exact_cost_and_the_others_cost_at_least_as_much() -> None:
    ends = candidates(*range(16))
    exact, halved = costs(ends, steps=()), costs(ends)
    finalists, others = halved.sort().values.split([4, 12])
    assert all(torch.isclose(cost, exact).any() for cost in finalists)
    assert others.min() >= finalists.max()
    assert halved.argmin() == exact.argmin() == 5


def test_the_first_candidates_are_never_left_out() -> None:
    ends = candidates(15.0, 14.0, *range(14))  # the worst ones
    torch.testing.assert_close(costs(ends, first=2)[:2], costs(ends, steps=())[:2])


def test_one_candidate_and_broken_predictions_get_a_cost() -> None:
    assert costs(candidates(5.0)).item() == pytest.approx(0.0, abs=1e-6)
    ends = candidates(*map(float, range(8)))
    ends[3] = torch.nan
    halved = costs(ends)
    assert halved[[0, 1, 2, 4, 5, 6, 7]].isfinite().all() and not halved[3] < halved[5]


def test_a_search_finds_the_goal_with_fewer_exact_predictions() -> None:
    dynamics, limits = Graded(), space()
    config = SearchConfig(joints=("slide",), halving=(2,))
    plan = Search(dynamics, OBJECTIVE, limits, config, (JointMoves(("slide",), limits),)).plan(PAST, goal_at(5.0))
    assert plan.actions[-1, 0].item() == pytest.approx(5.0, abs=0.3)
    assert sum(dynamics.counts[0]) <= 0.5 * sum(dynamics.counts[2]) + 2
    assert plan.futures == sum(dynamics.counts[2])


def test_halving_does_not_wait_for_the_gpu() -> None:
    halving = Halving(Graded(), OBJECTIVE, space(), (1, 4), 0.5)
    goal, ends = goal_at(5.0), candidates(*range(16))
    with Waits() as waits:
        halving.costs(PAST, goal, ends, 1)
    assert waits == []


def test_dynamics_without_cheaper_predictions_are_rejected_at_once() -> None:
    with pytest.raises(BadConfig, match=r"search\.halving"):
        Search(SpotDynamics(), OBJECTIVE, space(), SearchConfig(halving=(1,)))
