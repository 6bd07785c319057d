"""Scores of a model that predicts the tokens of the next clip, for each held-out episode."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.challenge.compression import shuffled_actions
from hwm_core.challenge.compression_scores import SampleScore
from hwm_core.challenge.compressor import Compressor, TopCodes
from hwm_core.challenge.grid_samples import GridSample
from hwm_core.frames import to_frames
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.sampling.config import Sampling
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.world_model.checkpoint import Checkpoint

GREEDY = Sampling(parallel=False)  # each grid attends to the likeliest tokens of the grids before it
AT_ONCE = Sampling()  # a masked model: all grids from the past alone


def scores_by_episode(
    checkpoint: Checkpoint, samples: Sequence[GridSample], batch: int = 8
) -> dict[str, list[dict[str, float]]]:
    """Scores under every condition.

    Args:
        checkpoint: with its tokenizer.
        samples: with their true grids.
        batch: samples that are predicted at once.

    Returns:
        {condition: for each episode the means of `ce`, `top_500_ce` and `accuracy`, and for predictions and
        `copy_last` the `psnr_db`}. The truth of the PSNR is the decoded true grids.
    """
    greedy, at_once = (Compressor(checkpoint, sampling=sampling) for sampling in (GREEDY, AT_ONCE))
    shuffled = shuffled_actions(samples, greedy)
    found: dict[str, list[dict[str, float]]] = {}
    for first in range(0, len(samples), batch):
        some = samples[first : first + batch]
        predicted = {
            "greedy": greedy.predict(some),
            "teacher_forced": greedy.predict(some, "teacher_forced"),
            "shuffled": greedy.predict(shuffled[first : first + batch]),
        }
        if checkpoint.family == "masked":
            predicted["at_once"] = at_once.predict(some)
        decibels = _psnr(checkpoint.tokenizer, some, predicted)
        for condition, values in decibels.items():
            top = predicted.get(condition)
            for index, sample in enumerate(some):
                numbers = {} if top is None else _numbers(top, index, sample, greedy.vocabulary)
                found.setdefault(condition, []).append({**numbers, "psnr_db": float(values[index])})
    takes = np.array([sample.take for sample in samples])
    return {
        condition: [_mean(numbers, takes == take) for take in np.unique(takes)] for condition, numbers in found.items()
    }


def _numbers(top: TopCodes, index: int, sample: GridSample, vocabulary: int) -> dict[str, float]:
    assert sample.truth is not None
    score = SampleScore.of(top, index, sample.truth, vocabulary)
    return {"ce": score.ce, "top_500_ce": score.nats / score.tokens, "accuracy": score.right / score.tokens}


@torch.inference_mode()
def _psnr(
    tokenizer: VideoTokenizer | None, samples: Sequence[GridSample], predicted: Mapping[str, TopCodes]
) -> dict[str, NDArray[np.float64]]:
    """{condition: mean PSNR [B] over the frames of the next clip}; every clip is decoded alone, as it was encoded."""
    assert tokenizer is not None, "a checkpoint with its tokenizer"

    def decoded(codes: NDArray[Any]) -> NDArray[np.uint8]:
        return to_frames(tokenizer.decode(torch.from_numpy(codes.astype(np.int64))))

    truth = decoded(np.stack([sample.truth for sample in samples if sample.truth is not None]))
    newest = decoded(np.stack([sample.past for sample in samples]))[:, -1:]
    frames = {condition: decoded(top.codes[..., 0].numpy()) for condition, top in predicted.items()}
    frames["copy_last"] = np.repeat(newest, truth.shape[1], axis=1)
    return {condition: psnr(frame_mse(images, truth)).mean(1) for condition, images in frames.items()}


def _mean(numbers: Sequence[Mapping[str, float]], chosen: NDArray[np.bool_]) -> dict[str, float]:
    kept = [one for one, keep in zip(numbers, chosen, strict=True) if keep]
    return {key: round(float(np.mean([one[key] for one in kept])), 5) for key in kept[0]}
