"""The predictions that the benchmarks compare: the mean prediction, a single sample and the mean of several samples."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.windows import EvaluationWindows, donor_windows
from hwm_core.frames import to_frames
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

SINGLE_SAMPLE = {
    "masked": Sampling(steps=2, parallel=False, soft=False, temperature=1.0),
    "flow": Sampling(steps=4),
}
"""Settings that draw one sample, by model family."""

SAMPLES = 4
TITLES = {
    "mean_prediction": "mean prediction",
    "single": "single sample",
    f"mean_of_{SAMPLES}": f"mean of {SAMPLES} samples",
}
PREDICTIONS = tuple(TITLES)

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]


def psnr_by_episode(
    world_model: WorldModel, windows: EvaluationWindows, horizons: Sequence[int], batch: int = 16
) -> dict[str, list[list[float]]]:
    """PSNR in dB under every condition.

    Args:
        horizons: frames ahead.
        batch: windows that are predicted at once.

    Returns:
        {condition: for each episode [PSNR at each horizon]}; the mean over the windows of the episode. The conditions
        are "copy_last", "tokenizer", every one of `PREDICTIONS`, and the same with shuffled actions,
        "<prediction>/shuffled".
    """
    ahead, past_frames, donor = np.asarray(horizons) - 1, windows.past_frames, donor_windows(windows, seed=0)
    errors: dict[str, list[NDArray[np.float64]]] = {}
    for some in np.array_split(np.arange(len(windows)), -(-len(windows) // batch)):
        frames, actions = windows.frames(some), windows.actions(some)
        past = world_model.observe(frames[:, :past_frames], actions[:, :past_frames])
        conditions: dict[str, Frames] = {
            "copy_last": np.repeat(frames[:, past_frames - 1, None], windows.future_frames, axis=1),
            "tokenizer": world_model.reconstruct(frames)[:, past_frames:],
        }
        conditions |= _predicted(world_model, past, actions[:, past_frames:])
        shuffled = _predicted(world_model, past, windows.shuffled_actions(some, donor[some]))
        conditions |= {f"{name}/shuffled": predicted for name, predicted in shuffled.items()}
        for name, predicted in conditions.items():
            errors.setdefault(name, []).append(frame_mse(predicted[:, ahead], frames[:, past_frames:][:, ahead]))
    decibels = {name: psnr(np.concatenate(parts)) for name, parts in errors.items()}
    return {
        name: [values[windows.episode == one].mean(0).round(4).tolist() for one in np.unique(windows.episode)]
        for name, values in decibels.items()
    }


def _predicted(world_model: WorldModel, past: Past, actions: NDArray[np.float32]) -> dict[str, Frames]:
    """The frames of every one of `PREDICTIONS`. The single sample is the first sample of the mean."""
    sampling = SINGLE_SAMPLE[world_model.family]
    mean, _ = timed_prediction(world_model, past, actions, Sampling(), 0)
    samples = [timed_prediction(world_model, past, actions, sampling, seed)[0] for seed in range(SAMPLES)]
    videos = (mean, samples[0], torch.stack(samples).mean(0))
    return {name: to_frames(video) for name, video in zip(PREDICTIONS, videos, strict=True)}


def timed_prediction(
    world_model: WorldModel, past: Past, actions: NDArray[np.float32], sampling: Sampling, seed: int
) -> tuple[torch.Tensor, NDArray[np.float64]]:
    """Predict one future for each of B contexts.

    Args:
        actions: [B, F, A] in joint units.

    Returns:
        Video [B, F, 3, H, W] in [0, 1], and the processor seconds [2] for the latents and for decoding them.
    """
    at = [time.process_time()]
    rollout = world_model.rollout(past, actions, sampling=sampling, seed=seed)
    at.append(time.process_time())
    video = world_model.decode(past, rollout)
    at.append(time.process_time())
    return video, np.diff(at)
