"""The costs of a plan, one per file; `Objective` sums them."""

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.objective import Objective

__all__ = ["Candidates", "Cost", "Objective"]
