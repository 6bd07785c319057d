"""The result of a search."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """Actions to execute from the next frame on."""

    actions: Tensor  # [F, A] in joint units, within the limits
    cost: float
    cost_of_holding: float  # of holding still instead
    source: str  # "hold", "warm start", "shortcut", "polished", or the name of a primitive or proposer
    futures: int  # candidates whose futures were predicted
    iterations: int  # of the solver
    fulfilled: bool  # no motion can be better: holding still costs no more than the least improvement
    complete: bool  # False: a deadline ended the search early

    @property
    def holds(self) -> bool:
        """Whether no motion was better than holding still, by the margin."""
        return self.source == "hold"
