"""What every cost has, and what it may look at."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config
from hwm_core.planning.dynamics import Goal, Prediction
from hwm_core.planning.joint_space import JointSpace


@dataclass(frozen=True)
class Candidates:
    """S candidates with the futures that the dynamics predicts for them."""

    actions: Tensor  # [S, F, A] in joint units
    recent: Tensor  # [2, A] the two newest past actions, newest last
    prediction: Prediction
    goal: Goal
    space: JointSpace

    def trajectories(self) -> Tensor:
        """Recent and candidate actions in one piece, [S, 2 + F, A]."""
        return torch.cat([self.recent.expand(len(self.actions), -1, -1), self.actions], dim=1)


class Cost(Config):
    """One term of the objective, (weight * value) ** power; lower is better, 0 is perfect."""

    weight: float = Field(default=1.0, ge=0.0, description="factor before the power; 0 leaves the term out")
    power: int = Field(default=1, ge=1, le=3, description="exponent of the weighted value")

    def value(self, candidates: Candidates) -> Tensor:
        """The bare cost of every candidate, [S] >= 0."""
        raise NotImplementedError

    def __call__(self, candidates: Candidates) -> Tensor:
        return (self.weight * self.value(candidates)) ** self.power
