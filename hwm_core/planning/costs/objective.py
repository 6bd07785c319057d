"""The objective: all costs by name, with their default weights."""

import torch
from torch import Tensor

from hwm_core.config import Config
from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.closest_approach import ClosestApproach
from hwm_core.planning.costs.goal_changes import GoalChanges
from hwm_core.planning.costs.goal_colours import GoalColours
from hwm_core.planning.costs.goal_latent import GoalLatent
from hwm_core.planning.costs.goal_pixels import GoalPixels
from hwm_core.planning.costs.goal_regions import GoalRegions
from hwm_core.planning.costs.goal_tokens import GoalTokens
from hwm_core.planning.costs.joint_limits import JointLimits
from hwm_core.planning.costs.lateness import Lateness
from hwm_core.planning.costs.readout_distance import ReadoutDistance
from hwm_core.planning.costs.smoothness import Smoothness
from hwm_core.planning.costs.uncertainty import Uncertainty
from hwm_core.planning.costs.velocity_limits import VelocityLimits


class Objective(Config):
    """The sum of its terms; a term of weight 0 is not computed."""

    goal_changes: GoalChanges = GoalChanges()
    closest_approach: ClosestApproach = ClosestApproach()
    goal_regions: GoalRegions = GoalRegions()
    goal_colours: GoalColours = GoalColours()
    goal_latent: GoalLatent = GoalLatent()
    goal_pixels: GoalPixels = GoalPixels()
    goal_tokens: GoalTokens = GoalTokens()
    readout: ReadoutDistance = ReadoutDistance()
    uncertainty: Uncertainty = Uncertainty()
    lateness: Lateness = Lateness()
    smoothness: Smoothness = Smoothness()
    joint_limits: JointLimits = JointLimits()
    velocity_limits: VelocityLimits = VelocityLimits()

    @property
    def last_latents(self) -> int | None:
        """How many latents at the end of the horizon its terms need, at least 1; None: all of them."""
        needs = [cost.last_latents for _, cost in self._active()]
        counts = [need for need in needs if need is not None]
        return max([1, *counts]) if len(counts) == len(needs) else None

    @property
    def compares_scenes(self) -> bool:
        """Whether `of_scenes` has a value: an active term compares scenes with the goal."""
        return any(cost.compares_scenes for _, cost in self._active())

    def terms(self, candidates: Candidates) -> dict[str, Tensor]:
        """{name: [S]} of every term with a weight, after weight and power. The sum of the terms is the cost."""
        return {name: cost(candidates) for name, cost in self._active()}

    def of_scenes(self, candidates: Candidates) -> Tensor:
        """The cost [S] of scenes: the terms that compare them with the goal. NaN where the objective has none."""
        terms = [cost(candidates) for _, cost in self._active() if cost.compares_scenes]
        unknown = candidates.actions.new_full((len(candidates.actions),), torch.nan)
        return torch.stack(terms).sum(dim=0) if terms else unknown

    def _active(self) -> list[tuple[str, Cost]]:
        return [(name, cost) for name, cost in self if isinstance(cost, Cost) and cost.weight > 0]
