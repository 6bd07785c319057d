"""What a live model returns, as messages."""

from collections.abc import Mapping, Sequence

import numpy as np

from hwm_core.live.model import Answer
from hwm_core.live.planner import LivePlan
from hwm_core.planning.search_trace import SearchTrace
from hwm_ros import convert
from hwm_ros.msg import ActionScores, SearchCosts
from hwm_ros.srv import MakePlan


def scores_message(answer: Answer, request_id: int, stages: Mapping[str, float]) -> ActionScores:
    """Costs of candidates; `stages` has the seconds of queue, encode, rollout, cost and uncertainty."""
    scores = answer.scores
    unsure = np.zeros(0, np.float32) if scores.uncertainties is None else scores.uncertainties
    return ActionScores(
        header=convert.header(answer.stamp_ns),
        request_id=request_id,
        num_candidates=len(scores.costs),
        term_names=list(scores.terms),
        costs=convert.packed(scores.costs),
        term_costs=convert.packed(np.array([*scores.terms.values()], np.float32).T),
        best_index=scores.best,
        uncertainties=convert.packed(unsure),
        **_milliseconds(stages),
    )


def plan_response(made: LivePlan, names: Sequence[str], stages: Mapping[str, float]) -> MakePlan.Response:
    """A plan for joints [A]; `stages` has the seconds of queue, encode and search."""
    return MakePlan.Response(
        plan=convert.sequence_message(made.actions, names, convert.header(made.stamp_ns)),
        committed_steps=made.committed,
        observed_cost=made.observed_cost,
        source=made.plan.source,
        cost=made.plan.cost,
        cost_of_holding=made.plan.cost_of_holding,
        complete=made.plan.complete,
        futures=made.plan.futures,
        **_milliseconds(stages),
    )


def search_costs(made: LivePlan, trace: SearchTrace) -> SearchCosts:
    """What the search for a plan tried, as it was traced."""
    iterations = trace.iterations()
    message = SearchCosts(
        header=convert.header(made.stamp_ns),
        iterations=[one.sources for one in iterations],
        term_names=list(iterations[0].term_names) if iterations else [],
        candidates=[one.candidates for one in iterations],
        source=made.plan.source,
        cost=made.plan.cost,
        cost_of_holding=made.plan.cost_of_holding,
    )
    for row, field in enumerate(("cost_min", "cost_mean", "cost_max")):
        setattr(message, field, convert.packed(np.array([one.cost[row] for one in iterations], np.float32)))
    for row, field in enumerate(("term_min", "term_mean", "term_max", "term_of_best")):
        setattr(message, field, convert.packed(np.array([one.terms[row] for one in iterations], np.float32)))
    return message


def _milliseconds(stages: Mapping[str, float]) -> dict[str, float]:
    return {f"{stage}_ms": 1e3 * seconds for stage, seconds in stages.items()}
