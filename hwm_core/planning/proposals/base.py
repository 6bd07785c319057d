"""Where the first candidates of a search come from."""

from typing import Protocol, TypeVar

import torch
from torch import Tensor

from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace

PastT_contra = TypeVar("PastT_contra", contravariant=True)


class Proposer(Protocol[PastT_contra]):
    """Motions that may fit this past and this goal, such as retrieved ones, or those that an inverse model predicts."""

    @property
    def name(self) -> str:
        """Names the source of a plan."""
        ...

    def __call__(
        self,
        past: PastT_contra,
        goal: Goal,
        recent_actions: Tensor,
        space: JointSpace,
        generator: torch.Generator,
        count: int,
    ) -> Tensor:
        """Motions [S, F, A] in joint units, S <= `count`, F at most the horizon.

        Args:
            past: as for `Dynamics.rollout`.
            goal: the goal image.
            recent_actions: [2, A] the two newest actions, newest last.
            space: limits of the joints; the search brings the motions within them.
            generator: of random numbers.
            count: the largest number of motions that will be used.
        """
        ...


class Primitive(Protocol):
    """A movement primitive: a motion that a few meaningful numbers describe. The search refines the numbers."""

    @property
    def name(self) -> str:
        """Names the source of a plan."""
        ...

    @property
    def weight(self) -> float:
        """Its share of the candidates, relative to the weights of the other primitives."""
        ...

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers [S, P] of random motions, S = `count`."""
        ...

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        """Numbers [S, P] near the given numbers [S, P]; `share`, one or [S, 1], is 1 for the widest variation."""
        ...

    def ending_at(self, postures: Tensor, stop: Tensor) -> Tensor | None:
        """Numbers [S, P] of motions that end at postures [S, A]; None for a motion that its end does not describe."""
        ...

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        """Motions [S, F, A] of numbers [S, P]. The search brings them within the limits of the joints.

        Args:
            numbers: [S, P].
            stop: [F, A] the motion that stops the present one; its end is where the joints come to rest.
        """
        ...


def uniform(count: int, low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """[S, P] uniform between `low` and `high` [P], S = `count`."""
    return low + (high - low) * torch.rand(count, len(low), generator=generator, device=generator.device)


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape of `like`."""
    return torch.randn(like.shape, generator=generator, device=like.device)
