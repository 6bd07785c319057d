"""The trace of a search: the cost terms of every batch."""

import numpy as np
import torch
from spot_dynamics import SpotDynamics, goal_at, space

from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.planning.search import Search
from hwm_core.planning.search_config import SearchConfig
from hwm_core.planning.search_trace import SearchTrace

AT = torch.tensor([[8.0, 0.2], [8.0, 0.2]])
OBJECTIVE = Objective.parse(
    {"goal_changes": {"weight": 0.0}, "goal_colours": {"weight": 1.0}, "smoothness": {"weight": 0.01}}
)


def test_a_batch_has_the_statistics_of_its_finite_candidates_and_the_terms_of_the_best() -> None:
    trace = SearchTrace()
    trace.add({"goal": torch.tensor([3.0, 1.0]), "speed": torch.tensor([0.0, 1.0])})
    trace.add({"goal": torch.tensor([torch.nan, 2.0]), "speed": torch.tensor([9.0, 3.0])})
    trace.end_batch("hold, joint move")
    [batch] = trace.iterations()
    assert (batch.sources, batch.candidates, batch.term_names) == ("hold, joint move", 4, ("goal", "speed"))
    np.testing.assert_allclose(batch.cost, [2.0, 10 / 3, 5.0])  # of 3 + 0, 1 + 1, 2 + 3
    np.testing.assert_allclose(batch.terms, [[1, 0], [2, 4 / 3], [3, 3], [1, 1]])


def test_a_batch_without_a_finite_cost_has_no_numbers() -> None:
    trace = SearchTrace()
    trace.add({"goal": torch.tensor([torch.inf])})
    trace.end_batch("hold")
    [batch] = trace.iterations()
    assert np.isnan(batch.cost).all() and np.isnan(batch.terms).all()


def test_the_batches_of_a_search_hold_all_its_futures_and_the_cost_of_its_plan() -> None:
    config = SearchConfig(joints=("slide",), polish=True)
    limits = space()
    search = Search(SpotDynamics(), OBJECTIVE, limits, config, (JointMoves(("slide",), limits),))
    trace = SearchTrace()
    plan = search.plan(AT, goal_at(5.0), trace=trace)
    batches = trace.iterations()
    assert sum(batch.candidates for batch in batches) == plan.futures
    assert min(batch.cost[0] for batch in batches) == np.float32(plan.cost)
    assert batches[0].sources.startswith("hold") and batches[-1].sources == "polished"
    for batch in batches:
        np.testing.assert_allclose(batch.terms[3].sum(), batch.cost[0], rtol=1e-6)
    again = Search(SpotDynamics(), OBJECTIVE, limits, config, (JointMoves(("slide",), limits),))
    assert again.plan(AT, goal_at(5.0)).cost == plan.cost, "the trace changes nothing"


def test_with_halving_only_exact_costs_are_traced() -> None:
    class Graded(SpotDynamics):
        def at_steps(self, steps: int) -> SpotDynamics:
            return self

    config, limits = SearchConfig(joints=("slide",), halving=(1,), first_batches=1, refinements=0), space()
    trace = SearchTrace()
    plan = Search(Graded(), OBJECTIVE, limits, config, (JointMoves(("slide",), limits),)).plan(
        AT, goal_at(5.0), trace=trace
    )
    first = trace.iterations()[0]
    assert 1 < first.candidates < 0.6 * plan.futures
