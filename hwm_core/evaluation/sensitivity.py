"""Which joints the model hears: one joint of the future actions is disturbed at a time, and the pictures compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.conditions import Batch
from hwm_core.metrics.psnr import frame_mse


@dataclass(frozen=True)
class Sensitivity:
    """How far predictions move when a joint is held off by its own standard deviation, in n windows."""

    names: tuple[str, ...]  # A joints, in manifest order
    units: tuple[str, ...]
    std: tuple[float, ...]  # how far each was disturbed
    constant: tuple[bool, ...]  # joints that the model cannot hear: their normalised value is always 0
    change: NDArray[np.float64]  # [n, A] mean absolute change of the predicted frames, values in [0, 1]
    mse: NDArray[np.float64]  # [n, A] mean squared change; both NaN where the window's robot lacks the joint

    @classmethod
    def of(cls, manifest: ActionManifest, change: NDArray[np.float64], mse: NDArray[np.float64]) -> "Sensitivity":
        return cls(manifest.names, manifest.units, manifest.std, manifest.constant, change, mse)


def disturbed(manifest: ActionManifest, actions: NDArray[np.float32]) -> NDArray[np.float32]:
    """[A, F, A]: `actions` [F, A], in the j-th of them joint j off by its standard deviation, to where it has room."""
    std, lower, upper = (np.asarray(values, np.float32) for values in (manifest.std, manifest.lower, manifest.upper))
    towards = np.where(upper - actions.max(axis=0) >= actions.min(axis=0) - lower, std, -std)
    return np.clip(actions + np.diag(towards)[:, None], *(np.minimum(lower, actions), np.maximum(upper, actions)))


def probe(batch: Batch, of: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean absolute and mean squared change [A] of the predicted frames of window `of` of the batch, joint by joint.

    NaN for joints that its robot lacks.
    """
    world_model, seen = batch.world_model, batch.world_model.past_frames
    actions = batch.motions["model"][of]
    past = world_model.observe(batch.frames[of, :seen], batch.past.actions[of].cpu().numpy())
    candidates = np.concatenate([actions[None], disturbed(world_model.manifest, actions)])
    frames = world_model.mean_frames(
        past, candidates, 1, sampling=batch.config.sampling, seed=[batch.seeds[of]] * len(candidates)
    )[:, : batch.config.num_frames]
    own, others = frames[0], frames[1:]
    change = np.stack([np.abs(other.astype(np.float64) - own).mean() / 255 for other in others])
    mse = np.stack([frame_mse(other, own).mean() for other in others])
    lacks = np.isnan(actions).any(axis=0)
    return np.where(lacks, np.nan, change), np.where(lacks, np.nan, mse)
