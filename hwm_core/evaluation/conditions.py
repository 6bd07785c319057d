"""What is compared: the model, and what it must be better than."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]
Motion = NDArray[np.float32]  # [B, future, A] in joint units and manifest order


@dataclass(frozen=True)
class Batch:
    """B windows, ready to predict from."""

    world_model: WorldModel
    config: EvaluationConfig
    seeds: Sequence[int]  # of every window
    past: Past  # B contexts, encoded once for all rows
    frames: Frames  # seen and to come, of the camera
    shown: Frames  # the same as the truth has them: the camera's, or through the tokenizer
    motions: Mapping[str, Motion]  # by row: the actions it is predicted from

    @property
    def future_frames(self) -> int:
        return self.motions["model"].shape[1]

    @property
    def newest(self) -> NDArray[np.uint8]:
        """The last frames seen, [B, H, W, 3]."""
        return self.shown[:, -self.future_frames - 1]

    @property
    def truth(self) -> Frames:
        """What came."""
        return self.shown[:, -self.future_frames :]

    def imagine(self, actions: Motion | None, sampling: Sampling | None = None, samples: int = 1) -> Frames:
        """The mean of `samples` futures of every window."""
        return self.world_model.mean_frames(
            self.past,
            actions,
            samples,
            sampling=sampling or self.config.sampling,
            seed=self.seeds,
            num_frames=self.future_frames,
        )


def model(batch: Batch) -> Frames:
    """The true actions."""
    return batch.imagine(batch.motions["model"])


def shuffled(batch: Batch) -> Frames:
    """Another window's motion: a model that hears its actions must do worse."""
    return batch.imagine(batch.motions["shuffled"])


def none(batch: Batch) -> Frames:
    """The same network with the action stream dropped."""
    return batch.imagine(None)


def zero(batch: Batch) -> Frames:
    """No motion: the newest action, held."""
    return batch.imagine(batch.motions["zero"])


def backwards(batch: Batch) -> Frames:
    """The window's own motion, backwards in time."""
    return batch.imagine(batch.motions["reversed"])


def copy_last(batch: Batch) -> Frames:
    """The newest frame seen, again and again."""
    return np.repeat(batch.newest[:, None], batch.future_frames, axis=1)


def tokenizer(batch: Batch) -> Frames:
    """The true frames through the tokenizer and back: the best that a perfect model could show."""
    return batch.world_model.reconstruct(batch.frames)[:, -batch.future_frames :]


def single(batch: Batch) -> Frames:
    """One future of many, from the true actions."""
    return batch.imagine(batch.motions["model"], batch.config.drawing)


def mean(batch: Batch) -> Frames:
    """The mean picture of several such futures, the single one among them."""
    return batch.imagine(batch.motions["model"], batch.config.drawing, batch.config.samples or 1)


Row = Callable[[Batch], Frames]
ROWS: Mapping[str, Row] = {
    "model": model,
    "shuffled": shuffled,
    "none": none,
    "zero": zero,
    "reversed": backwards,
    "copy_last": copy_last,
    "tokenizer": tokenizer,
}


def rows_of(config: EvaluationConfig) -> dict[str, Row]:
    """What is compared, by name."""
    rows: dict[str, Row] = {name: ROWS[name] for name in config.rows}
    return rows if config.samples is None else {**rows, "single": single, f"mean_of_{config.samples}": mean}
