"""Predict the target frame of a forecast sample under every condition of the sampling track."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from hwm_core.challenge.forecast_samples import ForecastSample
from hwm_core.challenge.postprocess import blur, match_histogram
from hwm_core.config import Config
from hwm_core.rng.candidates import derived_seed
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel

Frame = NDArray[np.uint8]  # [side, side, 3]


class SamplingTrack(Config):
    """Settings of the sampling track."""

    side: int = Field(default=512, ge=16, description="size of the target frame in pixels")
    ensemble: tuple[int, ...] = Field(
        default=(1, 5, 20), description="numbers of sampled futures per mean, rising; 1 is always included"
    )
    blur: float = Field(default=2.0, gt=0, description="standard deviation of the Gaussian blur in pixels")
    sampling: Sampling = Sampling()
    seed: int = Field(default=0, description="seed; each sample and each sampled future gets its own")
    submitted: str = Field(
        default="", description="condition whose frames are written; default: the mean of most sampled futures"
    )

    @field_validator("ensemble")
    @classmethod
    def _rising(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
            raise ValueError("whole numbers of 1 or more, rising")
        return sizes

    @property
    def submitted_condition(self) -> str:
        """The condition whose frames are written."""
        return self.submitted or _mean_of(self.ensemble[-1])


def predict_means(
    world_model: WorldModel, sample: ForecastSample, sampling: Sampling, seed: int, sizes: tuple[int, ...]
) -> dict[int, Frame]:
    """Predict the target frame as the mean over sampled futures.

    A future longer than the model's own is rolled out in chunks.

    Args:
        sizes: numbers of sampled futures per mean, rising.

    Returns:
        {size: uint8 [h, w, 3] at the model's resolution}.

    Raises:
        BadConfig: several futures are requested, but the settings make them all equal.
    """
    past_frames = len(sample.frames)
    past = world_model.observe(sample.frames, sample.actions[:past_frames])
    future = sample.actions[None, past_frames:]
    total = np.zeros(sample.frames.shape[1:], dtype=np.float64)
    means: dict[int, Frame] = {}
    for count, rollout in enumerate(world_model.samples(past, future, sizes[-1], sampling=sampling, seed=seed), 1):
        # The frame of the last action; the last latent may contain later frames.
        video = world_model.decode(past, rollout)[0, future.shape[1] - 1]
        total += video.permute(1, 2, 0).double().cpu().numpy()
        if count in sizes:
            means[count] = np.asarray((total / count * 255).round(), dtype=np.uint8)
    return means


def forecast(world_model: WorldModel, sample: ForecastSample, track: SamplingTrack) -> dict[str, Frame]:
    """The target frame under every condition, uint8 [side, side, 3].

    model               one sampled future
    mean_of_N           the mean of N sampled futures, for each size of the ensemble
    mean_of_N + ...     the mean of most futures: blurred, with the histogram of the newest past frame, and both
    shuffled            one sampled future with shuffled actions: the motion of another take, from the own state
    copy_last (+ blur)  the newest past frame
    resized             the true frame, resized to the model's resolution and back: the ceiling of every prediction

    A hidden sample has no true frame, and `shuffled` is left out for a sample without a donor.
    """
    sizes, seed = tuple(sorted({1, *track.ensemble})), derived_seed(track.seed, sample.number)
    means = predict_means(world_model, sample, track.sampling, seed, sizes)
    frames = {_mean_of(size): _resized(mean, track.side) for size, mean in means.items()}
    name = _mean_of(sizes[-1])
    frames[f"{name} + blur"] = blur(frames[name], track.blur)
    frames[f"{name} + histogram"] = match_histogram(frames[name], sample.last)
    frames[f"{name} + blur + histogram"] = match_histogram(frames[f"{name} + blur"], sample.last)
    if sample.shuffled is not None:
        actions = np.concatenate([sample.actions[: len(sample.frames)], sample.shuffled])
        other = predict_means(world_model, replace(sample, actions=actions), track.sampling, seed, (1,))
        frames["shuffled"] = _resized(other[1], track.side)
    frames["copy_last"] = sample.last
    frames["copy_last + blur"] = blur(sample.last, track.blur)
    if sample.truth is not None:
        frames["resized"] = _resized(world_model.preprocessing.apply(sample.truth), track.side)
    return frames


def _mean_of(size: int) -> str:
    return "model" if size == 1 else f"mean_of_{size}"


def _resized(frame: Frame, side: int) -> Frame:
    """[side, side, 3], with cubic interpolation if the frame grows."""
    if frame.shape[:2] == (side, side):
        return frame
    kind = cv2.INTER_CUBIC if frame.shape[0] < side else cv2.INTER_AREA
    return np.asarray(cv2.resize(frame, (side, side), interpolation=kind), dtype=np.uint8)
