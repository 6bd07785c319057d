"""Measures which joints the model uses: perturbs one joint of the future actions and compares the predictions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.conditions import WindowBatch
from hwm_core.metrics.psnr import frame_mse


@dataclass(frozen=True)
class JointResponse:
    """The change of predictions when one joint is perturbed, in W windows; NaN where it is not measured.

    It is not measured in windows that were not chosen, and for joints that the window's robot lacks.
    """

    change: NDArray[np.float64]  # [W, A] mean absolute change of the predicted frames, values in [0, 1]
    mse: NDArray[np.float64]  # [W, A] mean squared change

    def chosen(self) -> "JointResponse":
        """The response of the chosen windows only."""
        tried = ~(np.isnan(self.change) & np.isnan(self.mse)).all(axis=1)
        return JointResponse(self.change[tried], self.mse[tried])


def perturbed(manifest: ActionManifest, actions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Copies [A, F, A] of `actions` [F, A]: in copy j, joint j is shifted by its standard deviation.

    The direction is the one with more room to the joint limit.
    """
    std, lower, upper = (np.asarray(values, np.float32) for values in (manifest.std, manifest.lower, manifest.upper))
    towards = np.where(upper - actions.max(axis=0) >= actions.min(axis=0) - lower, std, -std)
    return np.clip(actions + np.diag(towards)[:, None], *(np.minimum(lower, actions), np.maximum(upper, actions)))


def joint_response(batch: WindowBatch, windows: list[int]) -> JointResponse:
    """The response of the B windows of the batch; only `windows` are measured."""
    nothing = np.full(batch.world_model.manifest.dim, np.nan)
    tried = [_response(batch, i) if i in windows else (nothing, nothing) for i in range(len(batch.camera))]
    change, mse = (np.stack(parts) for parts in zip(*tried, strict=True))
    return JointResponse(change, mse)


def _response(batch: WindowBatch, window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean absolute and mean squared change [A] of the predicted frames of one window of the batch."""
    world_model, seen = batch.world_model, batch.world_model.past_frames
    actions = batch.actions["model"][window]
    past = world_model.observe(batch.camera[window, :seen], batch.past.actions[window].cpu().numpy())
    candidates = np.concatenate([actions[None], perturbed(world_model.manifest, actions)])
    frames = world_model.mean_frames(
        past, candidates, 1, sampling=batch.config.sampling, seed=[batch.seeds[window]] * len(candidates)
    )[:, : batch.config.num_frames]
    own, others = frames[0], frames[1:]
    change = np.stack([np.abs(other.astype(np.float64) - own).mean() / 255 for other in others])
    mse = np.stack([frame_mse(other, own).mean() for other in others])
    lacks = np.isnan(actions).any(axis=0)
    return np.where(lacks, np.nan, change), np.where(lacks, np.nan, mse)
