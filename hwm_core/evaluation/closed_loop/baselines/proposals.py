"""The baselines as proposers of a search: a world model chooses among what they would do."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from hwm_core.clips import hold_last
from hwm_core.config import Config
from hwm_core.errors import RobotMismatch
from hwm_core.evaluation.closed_loop.baselines.files import Baselines, read_baselines
from hwm_core.evaluation.closed_loop.baselines.inverse import predicted_chunks
from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.nearest import MotionLibrary
from hwm_core.evaluation.closed_loop.baselines.samples import LONGEST_FRAMES
from hwm_core.evaluation.sim_observer import View
from hwm_core.frames import to_frames
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.base import Proposer
from hwm_core.planning.proposals.moves import minimum_jerk
from hwm_core.world_model.past import Past

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
        device = images.device
        now, then = self._network(images, images.new_empty(2, 0)) * self._std.to(device)
        noise = torch.randn(count, len(then), generator=generator, device=device) * _SPREAD * space.scale
        noise[:1] = 0
        change = then - now + noise
        shares = torch.linspace(1.0, _SHORTEST, count, device=device)[:, None]
        done = minimum_jerk(torch.arange(1, LONGEST_FRAMES + 1, device=device) / (LONGEST_FRAMES * shares))
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
        now, then = (image.expand(count, -1, -1, -1) for image in (self._newest_image(past), goal.image.float()))
        frames = torch.linspace(1, LONGEST_FRAMES, count, device=now.device)
        mean, std = self._mean.to(now), self._std.to(now)
        action = (recent_actions[-1] - mean) / std
        chunks = predicted_chunks(self._network, now, then, action.expand(count, -1), frames)
        return recent_actions[-1] + chunks * std


class RetrievedProposals:
    """The recorded motions whose start and end look most like now and the goal. Found on the CPU: a GPU waits for it.

    Args:
        library: of recorded motions.
        newest_image: reads the newest image of a past.
    """

    name = "retrieved"

    def __init__(self, library: MotionLibrary, newest_image: NewestImage) -> None:
        self._library, self._newest_image = library, newest_image

    def __call__(
        self,
        past: Any,
        goal: Goal,
        recent_actions: Tensor,
        space: JointSpace,
        generator: torch.Generator,
        count: int,
    ) -> Tensor:
        now, then = to_frames(torch.stack([self._newest_image(past), goal.image.float()])[None])[0]
        motions = self._library.nearest_of(now, then, recent_actions[-1].cpu().numpy(), count)
        longest = max(len(motion) for motion in motions)
        whole = [hold_last(torch.from_numpy(motion.astype(np.float32))[None], longest) for motion in motions]
        return torch.cat(whole).to(recent_actions.device)


Kind = Literal["posture", "inverse", "retrieved"]


class ProposalConfig(Config):
    """Proposals of fitted baselines."""

    baselines: str = Field(default="", description="folder of `hwm bench fit-baselines`; empty: none")
    kinds: tuple[Kind, ...] = Field(
        default=("posture", "inverse"),
        description="posture: read off the goal image; inverse: an inverse model; retrieved: recorded motions, which"
        " need the training store",
    )

    def proposers(self, view: View, device: torch.device | str) -> list[Proposer[Past]]:
        """The proposers, none without a folder.

        Args:
            view: the world model that searches.
            device: of its latents.

        Raises:
            BadBag, BadCheckpoint: baselines, or the store of their motions, that are missing or damaged.
            RobotMismatch: baselines of another robot, camera or rate.
        """
        if not self.baselines:
            return []
        fitted = read_baselines(self.baselines)
        own = (fitted.description.manifest, fitted.description.preprocessing)
        if (own[0].names, own[0].kind, own[1]) != (view.manifest.names, view.manifest.kind, view.preprocessing):
            raise RobotMismatch(
                f"Baselines {self.baselines}",
                expected=f"{view.manifest.kind} of {view.manifest.robot}, images as the world model's",
                got=f"{own[0].kind} of {own[0].robot}, {own[1].height} x {own[1].width} at {own[1].frame_rate_hz:g} Hz",
                remedy="Fit baselines on a store that was prepared like the model's.",
            )
        return proposers_of(fitted, self.kinds, device)


def proposers_of(
    fitted: Baselines, kinds: tuple[Kind, ...], device: torch.device | str = "cpu"
) -> list[Proposer[Past]]:
    """A proposer of each kind. Raises BadBag for retrieved motions whose store is gone."""
    networks = {name: network.to(device) for name, network in fitted.networks.items()}
    make: dict[Kind, Callable[[], Proposer[Past]]] = {
        "posture": lambda: PostureProposals(networks["posture"], fitted.std, newest_image),
        "inverse": lambda: InverseProposals(networks["inverse"], fitted.mean, fitted.std, newest_image),
        "retrieved": lambda: RetrievedProposals(fitted.library(), newest_image),
    }
    return [make[kind]() for kind in kinds]


def newest_image(past: Past) -> Tensor:
    """The newest image [3, H, W] of a world model's past, in [0, 1]."""
    return past.video[0, -1]
