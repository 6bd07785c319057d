"""How one cost ranked the candidates of one task."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hwm_core.config import Config
from hwm_core.evaluation.closed_loop.ranking_candidates import HOLD, TRUE
from hwm_core.metrics.ranking import spearman, top1_regret


class Agreement(Config):
    """Costs of S candidates against their true errors at the end of the horizon."""

    spearman: float | None = Field(description="rank correlation; None where all costs or all errors are equal")
    top1_regret: float = Field(description="excess error of the cheapest, as a share of the range of the errors")
    better_than_true: float = Field(description="share of the candidates cheaper than the goal-reaching one")
    chosen_error: float = Field(description="error of the cheapest candidate, in the task's unit")

    @classmethod
    def of(cls, costs: NDArray[np.floating], errors: NDArray[np.floating]) -> "Agreement":
        """The agreement of costs [S] with errors [S]."""
        correlation = spearman(costs, errors)
        return cls(
            spearman=None if np.isnan(correlation) else correlation,
            top1_regret=top1_regret(costs, errors),
            better_than_true=float(np.mean(np.delete(costs, TRUE) < costs[TRUE])),
            chosen_error=float(errors[np.argmin(costs)]),
        )


class RankingRecord(Config):
    """The candidates of one task at one place."""

    errors: tuple[float, ...] = Field(description="true errors at the end of the horizon, S values")
    sources: dict[str, Agreement] = Field(description="{truth, tokenizer, model: agreement}")

    @property
    def hold_error(self) -> float:
        """Error of holding still."""
        return self.errors[HOLD]
