"""The baselines as proposers of a search: a world model chooses among what they would do."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hwm_core.evaluation.closed_loop.baselines.inverse import predicted_chunks
from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.samples import LONGEST_FRAMES
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.moves import minimum_jerk

NewestImage = Callable[[Any], Tensor]  # the newest image [3, H, W] in [0, 1] of a past

_SPREAD = 0.1  # deviation of proposed postures, in joint scales
_SHORTEST = 0.3  # share of the longest move


class PostureProposals:
    """Moves to the posture read off the goal image, of several lengths, with some noise.

    Args:
        network: reads postures, in z-scores.
        std: [A] of the z-scores.
        newest_image: reads the newest image of a past.
    """

    name = "posture"

    def __init__(self, network: KeypointNet, std: Tensor, newest_image: NewestImage) -> None:
        self._network, self._std, self._newest_image = network, std, newest_image

    @torch.inference_mode()
    def __call__(
        self,
        past: Any,
        goal: Goal,
        recent_actions: Tensor,
        space: JointSpace,
        generator: torch.Generator,
        count: int,
    ) -> Tensor:
        images = torch.stack([self._newest_image(past), goal.image.float()])
        now, then = self._network(images, images.new_empty(2, 0)) * self._std
        noise = torch.randn(count, len(then), generator=generator) * _SPREAD * space.scale
        noise[:1] = 0
        change = then - now + noise
        shares = torch.linspace(1.0, _SHORTEST, count)[:, None]
        done = minimum_jerk(torch.arange(1, LONGEST_FRAMES + 1) / (LONGEST_FRAMES * shares))
        return recent_actions[-1] + done[..., None] * change[:, None]


class InverseProposals:
    """The actions of the inverse model for several times to the goal.

    Args:
        network: the inverse model.
        mean, std: [A] of its z-scores.
        newest_image: reads the newest image of a past.
    """

    name = "inverse"

    def __init__(self, network: KeypointNet, mean: Tensor, std: Tensor, newest_image: NewestImage) -> None:
        self._network, self._mean, self._std, self._newest_image = network, mean, std, newest_image

    @torch.inference_mode()
    def __call__(
        self,
        past: Any,
        goal: Goal,
        recent_actions: Tensor,
        space: JointSpace,
        generator: torch.Generator,
        count: int,
    ) -> Tensor:
        frames = torch.linspace(1, LONGEST_FRAMES, count)
        now, then = (image.expand(count, -1, -1, -1) for image in (self._newest_image(past), goal.image.float()))
        action = (recent_actions[-1] - self._mean) / self._std
        chunks = predicted_chunks(self._network, now, then, action.expand(count, -1), frames)
        return recent_actions[-1] + chunks * self._std
