"""The simulator as dynamics: it shows whether the cost or the model causes a bad plan."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.coders import Coder
from hwm_core.evaluation.sim_observer import SimObservation, SimObserver, View
from hwm_core.frames import to_video
from hwm_core.planning.dynamics import Goal
from hwm_core.sim.model import SimHumanoid
from hwm_core.types import Rollout


class TrueDynamics:
    """Implements the `planning.Dynamics` protocol with the simulator; the past is a `SimObservation`.

    Args:
        robot: runs the candidates; its state is restored.
        view: frame rate, preprocessing and joints.
        coder: which frames are rendered, and how they become latents.
    """

    def __init__(self, robot: SimHumanoid, view: View, coder: Coder) -> None:
        self._robot, self._view, self._coder = robot, view, coder
        self.num_joints, self.horizon_frames = view.manifest.dim, coder.horizon_frames

    def recent_actions(self, past: SimObservation) -> Tensor:
        return torch.from_numpy(past.actions[-2:])

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        return self._coder.goal(image, start)

    def rollout(self, past: SimObservation, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        """Run every candidate in the simulator, and encode its frames. `video` holds the rendered frames alone.

        The latents are those of the coder, whatever `last_latents` is.
        """
        futures = np.stack([self._run(past, actions) for actions in candidates.cpu().numpy()])
        self._robot.restore(past.state)
        latents = self._coder.latents(past.frames, futures)
        return Rollout(latents, video=to_video(futures, latents.device))

    def decode(self, past: SimObservation, rollout: Rollout) -> Tensor:
        assert rollout.video is not None
        return rollout.video

    def uncertainty(self, past: SimObservation, rollout: Rollout, samples: int, steps: int) -> Tensor:
        """0: nothing is random."""
        return torch.zeros_like(rollout.latents[..., 0])

    def at_steps(self, steps: int) -> "TrueDynamics":
        """The same: the simulator has no cheaper prediction, but settings may ask for some."""
        return self

    def _run(self, past: SimObservation, actions: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The rendered frames [n, H, W, 3] of one candidate [F, A]."""
        self._robot.restore(past.state)
        observer, wanted = SimObserver(self._robot, self._view), set(self._coder.rendered)
        frames = []
        for frame, action in enumerate(actions):
            observer.act(action)
            if frame in wanted:
                frames.append(self._view.preprocessing.apply(self._robot.render()))
        return np.stack(frames)
