"""No planning: read the posture off the goal image, and move there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.moves import smooth_move
from hwm_core.evaluation.closed_loop.baselines.samples import FramePairs
from hwm_core.evaluation.closed_loop.controller import Decision, Situation
from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.frames import to_video

_MOVE_SECONDS, _REPLAN_SECONDS = 0.6, 0.4


def posture_network(joints: int) -> KeypointNet:
    """One image -> the positions of the joints, in z-scores."""
    return KeypointNet(3, 0, joints)


def posture_loss(network: KeypointNet, pairs: FramePairs) -> Tensor:
    """Mean squared error of the measured joint positions."""
    return (network(pairs.now, pairs.now.new_empty(len(pairs.now), 0)) - pairs.states).square().mean()


class PostureDrive:
    """Moves by the difference between the postures read off the goal image and off the newest image.

    The error of the read-out that both images share cancels out.
    """

    def __init__(self, situation: Situation, network: KeypointNet, mean: Tensor, std: Tensor) -> None:
        rate = situation.space.frame_rate_hz
        self._network, self._mean, self._std = network, mean, std
        self._goal = self._read(situation.goal)
        self._move_frames = max(1, round(_MOVE_SECONDS * rate))
        self.replan_frames = max(1, round(_REPLAN_SECONDS * rate))

    def decide(self, observation: SimObservation) -> Decision:
        now = observation.actions[-1]
        target = now + self._goal - self._read(observation.frames[-1])
        return Decision(smooth_move(now, target, self._move_frames))

    @torch.inference_mode()
    def _read(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Joint positions [A] of an image [H, W, 3]."""
        pixels = to_video(image[None])
        return (self._network(pixels, pixels.new_empty(1, 0))[0] * self._std + self._mean).numpy()
