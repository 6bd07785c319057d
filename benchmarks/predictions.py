"""The ways a tiny model's future is drawn for the comparison, how good each is, and how long one takes."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.windows import EvaluationWindows, donors
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import Past, Rollout, WorldModel

SINGLE = {
    "masked": Sampling(steps=2, parallel=False, soft=False, temperature=1.0),
    "flow": Sampling(steps=4),
}
"""One future of many, as the family draws it."""

SAMPLES = 4
TITLES = {"mean_future": "mean future", "single": "one sample", f"mean_of_{SAMPLES}": f"mean of {SAMPLES} samples"}
DECODINGS = tuple(TITLES)

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]


def judge(
    world_model: WorldModel, windows: EvaluationWindows, horizons: Sequence[int], batch: int = 16
) -> dict[str, list[list[float]]]:
    """PSNR in dB, {row: [[at each horizon] for each episode]}.

    Rows are "copy_last", "tokenizer", and of each decoding "<decoding>" and "<decoding>/shuffled". An episode's value
    is the mean over its windows.
    """
    ahead, seen, donors_of = np.asarray(horizons) - 1, windows.past_frames, donors(windows, seed=0)
    errors: dict[str, list[NDArray[np.float64]]] = {}
    for some in np.array_split(np.arange(len(windows)), -(-len(windows) // batch)):
        frames, actions = windows.frames(some), windows.actions(some)
        past = world_model.observe_many(frames[:, :seen], actions[:, :seen])
        rows: dict[str, Frames] = {
            "copy_last": np.repeat(frames[:, seen - 1, None], windows.future_frames, axis=1),
            "tokenizer": world_model.reconstruct(frames)[:, seen:],
        }
        rows |= _decoded(world_model, past, actions[:, seen:])
        borrowed = windows.borrowed(some, donors_of[some])
        rows |= {f"{name}/shuffled": shown for name, shown in _decoded(world_model, past, borrowed).items()}
        for name, pictures in rows.items():
            errors.setdefault(name, []).append(frame_mse(pictures[:, ahead], frames[:, seen:][:, ahead]))
    decibels = {name: psnr(np.concatenate(parts)) for name, parts in errors.items()}
    return {
        name: [values[windows.episode == one].mean(0).round(4).tolist() for one in np.unique(windows.episode)]
        for name, values in decibels.items()
    }


def _decoded(world_model: WorldModel, past: Past, actions: NDArray[np.float32]) -> dict[str, Frames]:
    """Frames of every decoding. The single sample is the first of those of the mean."""
    sharp = SINGLE[world_model.family]
    mean, _ = imagined(world_model, past, actions, Sampling(), 0)
    samples = [imagined(world_model, past, actions, sharp, seed)[0] for seed in range(SAMPLES)]
    shown = dict(zip(DECODINGS, (mean, samples[0], torch.stack(samples).mean(0)), strict=True))
    return {name: _frames(world_model, past, video) for name, video in shown.items()}


def imagined(
    world_model: WorldModel, past: Past, actions: NDArray[np.float32], sampling: Sampling, seed: int
) -> tuple[torch.Tensor, NDArray[np.float64]]:
    """Video [B, F, 3, H, W] of one future for each of B contexts, actions [B, F, A]; and the processor seconds [2] that
    its latents took, and then its pictures."""
    at = [time.process_time()]
    rollout = world_model.rollout(past, actions, sampling=sampling, seed=seed)
    at.append(time.process_time())
    video = world_model.video(past, rollout)
    at.append(time.process_time())
    return video, np.diff(at)


def _frames(world_model: WorldModel, past: Past, video: torch.Tensor) -> Frames:
    return world_model.frames(past, Rollout(past.latents, None, video))
