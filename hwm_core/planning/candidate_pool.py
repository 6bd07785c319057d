"""The candidates of one search and their costs."""

from collections.abc import Callable

import torch
from torch import Tensor

from hwm_core.planning.plan import Plan
from hwm_core.planning.search_trace import SearchTrace

HOLD, WARM_START = "hold", "warm start"


class CandidatePool:
    """Collects candidates, scores them batch by batch, and chooses. Nothing waits for the GPU before `plan`.

    Args:
        costs: costs [S] of motions [S, F, A], of which the first ones, as many as its second argument, are needed
            exactly: holding and the warm start, against which the best is compared.
        deadline: True ends the search after the batch that is being scored; None: no deadline.
        trace: learns when a batch is scored; None: nobody looks.
    """

    def __init__(
        self,
        costs: Callable[[Tensor, int], Tensor],
        deadline: Callable[[], bool] | None,
        trace: SearchTrace | None = None,
    ) -> None:
        self._score, self._deadline, self._trace = costs, deadline, trace
        self._sources: list[str] = []  # of each batch part
        self._motions: list[Tensor] = []
        self._numbers: list[Tensor | None] = []
        self._costs: list[Tensor] = []
        self._closed = False

    def add(self, source: str, motions: Tensor, numbers: Tensor | None = None) -> None:
        """Add motions [S, F, A]; `numbers` [S, P] describe the motions of a primitive."""
        if len(motions):
            self._sources.append(source)
            self._motions.append(motions)
            self._numbers.append(numbers)

    def score(self) -> Tensor:
        """Score what was added since the last call, in one batch; its costs [S]. NaN counts as infinite.

        The returned costs can be differentiated if the motions can; what the pool keeps cannot.
        """
        scored = len(self._costs)
        waiting = self._motions[scored:]
        first = sum(source in (HOLD, WARM_START) for source in self._sources[scored:])  # of one motion each
        costs = self._score(torch.cat(waiting), first)
        if self._trace is not None:
            self._trace.end_batch(", ".join(dict.fromkeys(self._sources[scored:])))
        costs = torch.where(costs.isnan(), torch.inf, costs)
        self._motions[scored:] = [motions.detach() for motions in waiting]
        self._costs.extend(costs.detach().split([len(motions) for motions in waiting]))
        self._closed = self._deadline is not None and self._deadline()
        return costs

    def open(self) -> bool:
        """Whether there is time for another batch."""
        return not self._closed

    @property
    def keep_going(self) -> Callable[[], bool] | None:
        """`open` for a solver; None without a deadline."""
        return None if self._deadline is None else self.open

    def best(self, count: int) -> Tensor:
        """The motions [at most count, F, A] of the lowest costs."""
        costs = torch.cat(self._costs)
        return torch.cat(self._motions)[costs.argsort(stable=True)[:count]]

    def best_numbers(self, source: str, count: int) -> Tensor:
        """Numbers [at most count, P] of the best motions of a primitive."""
        mine = [index for index, name in enumerate(self._sources) if name == source]
        costs = torch.cat([self._costs[index] for index in mine])
        numbers = torch.cat([number for index in mine if (number := self._numbers[index]) is not None])
        return numbers[costs.argsort(stable=True)[:count]]

    def plan(self, margin: float, least_gain: float, iterations: int) -> Plan:
        """The choice. A motion replaces the warm start, and a motion replaces holding, only if it is clearly better.

        Args:
            margin: the least improvement, as a share of the cost of holding.
            least_gain: the least improvement whatever holding costs.
            iterations: of the solver, for the record.

        Raises:
            FloatingPointError: no cost is finite.
        """
        costs = torch.cat(self._costs).tolist()  # the only transfer
        names = [name for name, part in zip(self._sources, self._costs, strict=True) for _ in range(len(part))]
        best = min(range(len(costs)), key=costs.__getitem__)
        if costs[best] == float("inf"):
            raise FloatingPointError("the predicted futures have no finite cost")
        hold = costs[names.index(HOLD)]
        least = max(least_gain, margin * hold) if hold < float("inf") else 0.0
        for earlier in (WARM_START, HOLD):
            if earlier in names and costs[best] > costs[names.index(earlier)] - least:
                best = names.index(earlier)
        actions = torch.cat(self._motions)[best]
        fulfilled = hold <= least_gain
        return Plan(actions, costs[best], hold, names[best], len(costs), iterations, fulfilled, not self._closed)
