"""The simulator as dynamics: it shows whether the cost or the model causes a bad plan."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.sim_observer import SimObservation, SimObserver
from hwm_core.frames import to_video
from hwm_core.planning.dynamics import Goal
from hwm_core.sim.model import SimHumanoid
from hwm_core.types import Rollout
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


class TrueDynamics:
    """Implements the `planning.Dynamics` protocol with the simulator; the past is a `SimObservation`."""

    def __init__(self, robot: SimHumanoid, world_model: WorldModel) -> None:
        self._robot, self._world_model = robot, world_model
        self.num_joints, self.horizon_frames = world_model.manifest.dim, world_model.future_frames

    def recent_actions(self, past: SimObservation) -> Tensor:
        return torch.from_numpy(past.actions[-2:])

    def goal(self, image: NDArray[np.uint8]) -> Goal:
        return WorldModelDynamics(self._world_model).goal(image)

    def rollout(self, past: SimObservation, candidates: Tensor) -> Rollout:
        """Run every candidate in the simulator, and encode its frames with the model's tokenizer.

        Therefore, the costs of simulator and model can be compared. The robot's state is restored.
        """
        clips = []
        for actions in candidates.cpu().numpy():
            self._robot.restore(past.state)
            observer = SimObserver(self._robot, self._world_model)
            clips.append(np.stack([*past.frames, *map(observer.step, actions)]))
        self._robot.restore(past.state)
        video = to_video(np.stack(clips), self._world_model.device)
        with torch.inference_mode(), self._world_model.autocast():
            tokenizer, seen = self._world_model.tokenizer, len(past.frames)
            latents = tokenizer.embed(tokenizer.encode(video))
        return Rollout(latents[:, 1 + (seen - 1) // tokenizer.temporal_factor :], video=video[:, seen:])

    def decode(self, past: SimObservation, rollout: Rollout) -> Tensor:
        assert rollout.video is not None
        return rollout.video
