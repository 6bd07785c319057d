"""A goal-conditioned inverse model without a world model: which actions led from this image to that image?"""

import torch
from torch import Tensor

from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.samples import CHUNK_FRAMES, LONGEST_FRAMES, FramePairs
from hwm_core.evaluation.closed_loop.controller import Decision, Situation
from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.frames import to_video

_EXECUTED_FRAMES = 6  # of a chunk


def inverse_network(joints: int) -> KeypointNet:
    """Images now and later, the newest action and the time between -> a chunk of actions relative to the newest."""
    return KeypointNet(9, joints + 1, CHUNK_FRAMES * joints)


def inverse_loss(network: KeypointNet, pairs: FramePairs) -> Tensor:
    """Mean squared error of the actions after the first image, in z-scores."""
    return (predicted_chunks(network, pairs.now, pairs.later, pairs.action, pairs.frames) - pairs.chunk).square().mean()


class InverseDrive:
    """Executes the first actions of each predicted chunk. The time to the goal is the rest of the episode."""

    def __init__(self, situation: Situation, network: KeypointNet, mean: Tensor, std: Tensor) -> None:
        self._network, self._mean, self._std = network, mean, std
        self._goal, self._left = to_video(situation.goal[None]), situation.frames
        self.replan_frames = _EXECUTED_FRAMES

    @torch.inference_mode()
    def decide(self, observation: SimObservation) -> Decision:
        now = torch.from_numpy(observation.actions[-1])
        frames = torch.tensor([float(min(max(self._left, 1), LONGEST_FRAMES))])
        self._left -= self.replan_frames
        action = ((now - self._mean) / self._std)[None]
        chunk = predicted_chunks(self._network, to_video(observation.frames[-1:]), self._goal, action, frames)[0]
        return Decision((now + chunk * self._std).numpy())


def predicted_chunks(network: KeypointNet, now: Tensor, later: Tensor, action: Tensor, frames: Tensor) -> Tensor:
    """Chunks of actions in z-scores, relative to the newest action, [B, CHUNK_FRAMES, A].

    Args:
        now, later: images [B, 3, H, W] in [0, 1].
        action: [B, A] the newest action, in z-scores.
        frames: [B] from the first to the second image.
    """
    numbers = torch.cat([action, frames[:, None] / LONGEST_FRAMES], dim=1)
    return network(torch.cat([now, later, later - now + 0.5], dim=1), numbers).unflatten(1, (CHUNK_FRAMES, -1))
