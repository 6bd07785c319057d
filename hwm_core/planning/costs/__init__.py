"""What a plan should achieve: one cost a file, summed by `Objective`."""

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.objective import Objective

__all__ = ["Candidates", "Cost", "Objective"]
