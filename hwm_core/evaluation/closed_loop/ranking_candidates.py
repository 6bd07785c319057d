"""Candidates of the ranking bench: from bad to perfect, so that there is an order to find."""

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.spline import spline_basis

TRUE, HOLD = 0, 1
"""The places of the goal-reaching candidate and of holding still."""

_KNOTS = 3
_WIDE, _NARROW = 0.8, 0.15  # deviations in joint scales: around holding, and around the goal-reaching candidate
_SHARES = (0.0, 1.4)  # of the goal-reaching motion


def ranking_candidates(
    newest: NDArray[np.float32],
    true: NDArray[np.float32],
    horizon_frames: int,
    space: JointSpace,
    joints: tuple[str, ...],
    count: int,
    seed: int,
) -> NDArray[np.float32]:
    """Candidates [count, F, A] within the limits of `space`, which move planned joints only.

    The first reaches the goal, the second holds still. Of the others, a third moves at random from holding, a third
    deviates a little from the first, and a third performs a random share of the first.

    Args:
        newest: [A] the newest action.
        true: [F, A] a motion that reaches the goal, at the frame rate of `space`.
        horizon_frames: F. A longer `true` is sped up to fit, within the speed limits.
        space: limits and scales.
        joints: that are planned.
        count: at least 3.
        seed: of the random candidates.
    """
    generator = torch.Generator().manual_seed(seed)
    start, planned = torch.from_numpy(newest), space.index(joints)
    moving = torch.zeros(len(newest)).index_fill(0, planned, 1.0)
    motion = (_fitted(torch.from_numpy(true), horizon_frames) - start) * moving
    basis, others = spline_basis(_KNOTS, horizon_frames), count - 2
    noise = basis @ (torch.randn(others, _KNOTS, len(newest), generator=generator) * space.scale * moving)
    kind = torch.arange(others)[:, None, None] % 3
    shares = torch.empty(others, 1, 1).uniform_(*_SHARES, generator=generator)
    random = torch.where(kind == 0, _WIDE * noise, torch.where(kind == 1, motion + _NARROW * noise, shares * motion))
    actions = start + torch.cat([motion[None], torch.zeros_like(motion)[None], random])
    return space.follow(actions, start.expand(2, -1)).numpy()


def goal_reaching(
    newest: NDArray[np.float32],
    true: NDArray[np.float32],
    horizon_frames: int,
    space: JointSpace,
    joints: tuple[str, ...],
) -> torch.Tensor:
    """A motion [F, A] that reaches the goal, fitted to the horizon and to the limits; arguments as above."""
    start = torch.from_numpy(newest)
    moving = torch.zeros(len(newest)).index_fill(0, space.index(joints), 1.0)
    motion = start + (_fitted(torch.from_numpy(true), horizon_frames) - start) * moving
    return space.follow(motion, start.expand(2, -1))


def _fitted(motion: torch.Tensor, frames: int) -> torch.Tensor:
    """A motion [F, A] as `frames` rows: sped up where it is longer, its end held where it is shorter."""
    last = len(motion) - 1
    ahead = torch.arange(1, frames + 1) * max(1.0, len(motion) / frames) - 1
    below = ahead.floor().long().clamp(0, last)
    part = (ahead - below).clamp(0, 1)[:, None]
    return torch.lerp(motion[below], motion[(below + 1).clamp(max=last)], part)
