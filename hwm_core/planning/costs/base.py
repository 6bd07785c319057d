"""The base class of all costs, and their input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NoReturn

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.types import Rollout


def no_uncertainty(samples: int, steps: int) -> NoReturn:
    """For dynamics that are not `UncertainDynamics`. Raises BadConfig."""
    raise BadConfig(
        "Cost `uncertainty`",
        expected="a model that tells how sure it is",
        got="dynamics without `uncertainty`",
        remedy="Set its weight to 0.",
    )


def no_tokens() -> NoReturn:
    """For dynamics that are not `TokenDynamics`. Raises BadConfig."""
    raise BadConfig(
        "Cost `goal_tokens`",
        expected="a model that predicts distributions of tokens",
        got="a model without tokens",
        remedy="Set its weight to 0, or plan with a masked model or an ST-Transformer.",
    )


@dataclass(frozen=True)
class Candidates:
    """S candidates and their predicted futures."""

    actions: Tensor  # [S, F, A] in joint units
    recent_actions: Tensor  # [2, A] the two newest past actions, newest last
    rollout: Rollout
    decode: Callable[[], Tensor]  # decodes the rollout's frames, [S, F, 3, H, W] in [0, 1]; slow
    goal: Goal
    space: JointSpace
    uncertainty: Callable[[int, int], Tensor] = no_uncertainty  # (samples, steps) -> [S, T, h, w], as the dynamics'
    goal_surprise: Callable[[], Tensor] = no_tokens  # [S, T, h, w], as the dynamics'

    def trajectories(self) -> Tensor:
        """Recent actions followed by candidate actions, [S, 2 + F, A]."""
        return torch.cat([self.recent_actions.expand(len(self.actions), -1, -1), self.actions], dim=1)


Weight = Annotated[float, Field(ge=0.0, le=1e6, description="factor before the power; 0 disables the term")]
"""The field `weight` of a cost."""


class Cost(Config):
    """One term of the objective, (weight * value) ** power; lower is better, 0 is perfect."""

    weight: Weight = 1.0
    power: int = Field(default=1, ge=1, le=3, description="exponent of the weighted value")

    @property
    def last_latents(self) -> int | None:
        """How many latents at the end of the horizon `value` needs, 0 for a cost of actions; None: all of them."""
        return None

    @property
    def compares_scenes(self) -> bool:
        """Whether `value` compares latents or images with the goal, so that it also tells of an observed scene."""
        return self.last_latents != 0

    def value(self, candidates: Candidates) -> Tensor:
        """The unweighted cost of every candidate, [S] >= 0."""
        raise NotImplementedError

    def __call__(self, candidates: Candidates) -> Tensor:
        return (self.weight * self.value(candidates)) ** self.power
