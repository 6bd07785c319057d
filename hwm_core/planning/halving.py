"""Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): exact costs only for what may be the best."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Dynamics, Goal, GradedDynamics
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.planning.search_trace import SearchTrace

PastT = TypeVar("PastT")


class Halving(Generic[PastT]):
    """Scores a batch by a cheap prediction, and the better ones of it again by the next, until the dynamics itself.

    Costs of different predictions are not compared: those of the candidates that are left out are lifted above those of
    the others, and keep their order. Nothing waits for the GPU.

    Args:
        dynamics: whose costs count.
        objective: the costs and their weights.
        space: limits and scales of the joints.
        steps: of the cheaper predictions, cheapest first; none: every candidate is scored by `dynamics`.
        kept: share of the candidates that each of them passes on.

    Raises:
        BadConfig: steps for dynamics without cheaper predictions.
    """

    def __init__(
        self, dynamics: Dynamics[PastT], objective: Objective, space: JointSpace, steps: Sequence[int], kept: float
    ) -> None:
        self._exact, self._kept = ScoreEngine(dynamics, objective, space), kept
        if not steps:
            self._cheap: tuple[ScoreEngine[PastT], ...] = ()
            return
        if not isinstance(dynamics, GradedDynamics):
            raise BadConfig(
                "search.halving",
                expected="dynamics that predict in several steps",
                got=f"{type(dynamics).__name__}, without `at_steps`",
                remedy="Leave it empty.",
            )
        self._cheap = tuple(ScoreEngine(dynamics.at_steps(count), objective, space) for count in steps)

    def costs(
        self, past: PastT, goal: Goal, actions: Tensor, first: int = 0, trace: SearchTrace | None = None
    ) -> Tensor:
        """Costs [S] of candidates [S, F, A]; the `first` ones are never left out.

        The terms of the candidates that are scored exactly are added to `trace`. Raises as `ScoreEngine.costs`.
        """
        return self._scored(past, goal, actions, first, (*self._cheap, self._exact), trace)

    def _scored(
        self,
        past: PastT,
        goal: Goal,
        actions: Tensor,
        first: int,
        engines: Sequence[ScoreEngine[PastT]],
        trace: SearchTrace | None,
    ) -> Tensor:
        costs = engines[0].costs(past, goal, actions, trace if len(engines) == 1 else None)
        passed = first + round(self._kept * (len(actions) - first))
        if len(engines) == 1:
            return costs
        ranked = torch.where(costs.isnan(), torch.inf, costs.detach())
        ranked[:first] = -torch.inf
        best, rest = ranked.argsort(stable=True).tensor_split([max(1, passed)])
        finer = self._scored(past, goal, actions[best], first, engines[1:], trace)
        scored = torch.zeros_like(costs).index_copy(0, best, finer)
        if not len(rest):
            return scored
        worst = torch.where(finer.isfinite(), finer.detach(), -torch.inf).amax()
        lift = (worst - ranked[rest].amin()).clamp(min=0)
        return scored.index_copy(0, rest, costs[rest] + lift)
