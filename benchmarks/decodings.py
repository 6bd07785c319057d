"""The ways a tiny model's future is drawn for the comparison, and how good and fast each is."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation import Evaluation
from hwm_core.evaluation.rows import Batch, Frames, copy_last, tokenizer
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.sampling.config import Sampling

SINGLE = {
    "masked": Sampling(steps=2, parallel=False, soft=False, temperature=1.0),
    "flow": Sampling(steps=4),
}
"""One future of many, as the family draws it."""

SAMPLES = 4
DECODINGS = ("mean_future", "single", "mean_of_4")


def judge(evaluation: Evaluation, batch: int = 16) -> dict[str, Any]:
    """PSNR by episode and speed.

    Returns:
        {"psnr_db": {row: [[dB at each horizon] for each episode]}, "samples_per_processor_s": {decoding: {"latents",
        "pictures"}}}. Rows are "copy_last", "tokenizer", and of each decoding "<decoding>" and "<decoding>/shuffled".
        An episode's value is the mean over its windows.
    """
    ahead, total = np.asarray(evaluation.horizons) - 1, len(evaluation.windows)
    errors: dict[str, list[NDArray[np.float64]]] = {}
    spent = {name: np.zeros(2) for name in DECODINGS}  # seconds for the latents, and then for the pictures
    for some in np.array_split(np.arange(total), -(-total // batch)):
        prepared = evaluation.batch(some)
        rows: dict[str, Frames] = {"copy_last": copy_last(prepared), "tokenizer": tokenizer(prepared)}
        for name, (pictures, seconds) in _decoded(prepared, prepared.actions).items():
            rows[name], spent[name] = pictures, spent[name] + seconds
        for name, (pictures, _) in _decoded(prepared, prepared.borrowed).items():
            rows[f"{name}/shuffled"] = pictures
        for name, pictures in rows.items():
            errors.setdefault(name, []).append(frame_mse(pictures[:, ahead], prepared.truth[:, ahead]))
    decibels = {name: psnr(np.concatenate(parts)) for name, parts in errors.items()}
    episode = evaluation.windows.episode
    return {
        "psnr_db": {
            name: [values[episode == one].mean(0).round(4).tolist() for one in np.unique(episode)]
            for name, values in decibels.items()
        },
        "samples_per_processor_s": {
            name: {"latents": round(total / seconds[0], 3), "pictures": round(total / seconds.sum(), 3)}
            for name, seconds in spent.items()
        },
    }


def _decoded(batch: Batch, actions: NDArray[np.float32]) -> dict[str, tuple[Frames, NDArray[np.float64]]]:
    """Frames and processor seconds of every decoding. The single sample is the first of the four."""
    mean = _imagined(replace(batch, sampling=Sampling()), actions)
    sharp = replace(batch, sampling=SINGLE[batch.world_model.family])
    samples = [_imagined(replace(sharp, seed=batch.seed + i), actions) for i in range(SAMPLES)]
    frames = np.mean([pictures for pictures, _ in samples], axis=0).round().astype(np.uint8)
    return {
        "mean_future": mean,
        "single": samples[0],
        "mean_of_4": (frames, np.sum([seconds for _, seconds in samples], axis=0)),
    }


def _imagined(batch: Batch, actions: NDArray[np.float32]) -> tuple[Frames, NDArray[np.float64]]:
    world, at = batch.world_model, [time.process_time()]
    rollout = world.rollout(
        batch.past, actions, sampling=batch.sampling, seed=batch.seed, num_frames=batch.future_frames
    )
    at.append(time.process_time())
    frames = world.frames(batch.past, rollout)
    at.append(time.process_time())
    return frames, np.diff(at)
