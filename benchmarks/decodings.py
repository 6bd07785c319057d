"""The ways a tiny model's future is drawn for the comparison, and how good and fast each is."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.windows import EvaluationWindows, lenders
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.sampling.config import Sampling
from hwm_core.world_model import Past, Rollout, WorldModel

SINGLE = {
    "masked": Sampling(steps=2, parallel=False, soft=False, temperature=1.0),
    "flow": Sampling(steps=4),
}
"""One future of many, as the family draws it."""

SAMPLES = 4
DECODINGS = ("mean_future", "single", "mean_of_4")

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]


def judge(
    world_model: WorldModel, windows: EvaluationWindows, horizons: Sequence[int], batch: int = 16
) -> dict[str, Any]:
    """PSNR by episode and speed.

    Returns:
        {"psnr_db": {row: [[dB at each horizon] for each episode]}, "samples_per_processor_s": {decoding: {"latents",
        "pictures"}}}. Rows are "copy_last", "tokenizer", and of each decoding "<decoding>" and "<decoding>/shuffled".
        An episode's value is the mean over its windows.
    """
    ahead, seen, borrowed_from = np.asarray(horizons) - 1, windows.past_frames, lenders(windows, seed=0)
    errors: dict[str, list[NDArray[np.float64]]] = {}
    spent = {name: np.zeros(2) for name in DECODINGS}  # seconds for the latents, and then for the pictures
    for some in np.array_split(np.arange(len(windows)), -(-len(windows) // batch)):
        frames, actions = windows.frames(some), windows.actions(some)
        past = world_model.observe_many(frames[:, :seen], actions[:, :seen])
        rows: dict[str, Frames] = {
            "copy_last": np.repeat(frames[:, seen - 1, None], windows.future_frames, axis=1),
            "tokenizer": world_model.reconstruct(frames)[:, seen:],
        }
        for name, (pictures, seconds) in _decoded(world_model, past, actions[:, seen:]).items():
            rows[name], spent[name] = pictures, spent[name] + seconds
        borrowed = windows.borrowed(some, borrowed_from[some])
        for name, (pictures, _) in _decoded(world_model, past, borrowed).items():
            rows[f"{name}/shuffled"] = pictures
        for name, pictures in rows.items():
            errors.setdefault(name, []).append(frame_mse(pictures[:, ahead], frames[:, seen:][:, ahead]))
    decibels = {name: psnr(np.concatenate(parts)) for name, parts in errors.items()}
    return {
        "psnr_db": {
            name: [values[windows.episode == one].mean(0).round(4).tolist() for one in np.unique(windows.episode)]
            for name, values in decibels.items()
        },
        "samples_per_processor_s": {
            name: {"latents": round(len(windows) / seconds[0], 3), "pictures": round(len(windows) / seconds.sum(), 3)}
            for name, seconds in spent.items()
        },
    }


def _decoded(
    world_model: WorldModel, past: Past, actions: NDArray[np.float32]
) -> dict[str, tuple[Frames, NDArray[np.float64]]]:
    """Frames and processor seconds of every decoding. The single sample is the first of the four."""
    sharp = SINGLE[world_model.family]
    mean, mean_s = _imagined(world_model, past, actions, Sampling(), 0)
    samples, samples_s = zip(*(_imagined(world_model, past, actions, sharp, seed) for seed in range(SAMPLES)))
    shown = {"mean_future": mean, "single": samples[0], "mean_of_4": torch.stack(samples).mean(0)}
    seconds = {"mean_future": mean_s, "single": samples_s[0], "mean_of_4": np.sum(samples_s, axis=0)}
    return {name: (_frames(world_model, past, video), seconds[name]) for name, video in shown.items()}


def _imagined(
    world_model: WorldModel, past: Past, actions: NDArray[np.float32], sampling: Sampling, seed: int
) -> tuple[torch.Tensor, NDArray[np.float64]]:
    """Video [B, F, 3, H, W]; processor seconds for its latents, and then for its pictures."""
    at = [time.process_time()]
    rollout = world_model.rollout(past, actions, sampling=sampling, seed=seed)
    at.append(time.process_time())
    video = world_model.video(past, rollout)
    at.append(time.process_time())
    return video, np.diff(at)


def _frames(world_model: WorldModel, past: Past, video: torch.Tensor) -> Frames:
    return world_model.frames(past, Rollout(past.latents, None, video))
