"""What is compared: the model, and what it must be better than."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.sampling.config import Sampling
from hwm_core.world_model import Past, WorldModel

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]


@dataclass(frozen=True)
class Batch:
    """B windows, ready to predict from."""

    world_model: WorldModel
    sampling: Sampling
    drawing: Sampling  # of single samples and their means
    samples: int
    seeds: Sequence[int]  # of every window
    past: Past  # B contexts, encoded once for all rows
    frames: Frames  # seen and to come
    actions: NDArray[np.float32]  # [B, future, A] that were really taken
    borrowed: NDArray[np.float32]  # [B, future, A] another window's motion from this window's own state

    @property
    def future_frames(self) -> int:
        return self.actions.shape[1]

    @property
    def newest(self) -> NDArray[np.uint8]:
        """The last frames seen, [B, H, W, 3]."""
        return self.frames[:, -self.future_frames - 1]

    @property
    def truth(self) -> Frames:
        """What came."""
        return self.frames[:, -self.future_frames :]

    def imagine(
        self, actions: NDArray[np.float32] | None, sampling: Sampling | None = None, samples: int = 1
    ) -> Frames:
        """The mean of `samples` futures of every window."""
        return self.world_model.mean_frames(
            self.past,
            actions,
            samples,
            sampling=sampling or self.sampling,
            seed=self.seeds,
            num_frames=self.future_frames,
        )


def model(batch: Batch) -> Frames:
    """The true actions."""
    return batch.imagine(batch.actions)


def shuffled(batch: Batch) -> Frames:
    """Another window's motion: a model that hears its actions must do worse."""
    return batch.imagine(batch.borrowed)


def none(batch: Batch) -> Frames:
    """The same network with the action stream dropped."""
    return batch.imagine(None)


def copy_last(batch: Batch) -> Frames:
    """The newest frame seen, again and again."""
    return np.repeat(batch.newest[:, None], batch.future_frames, axis=1)


def tokenizer(batch: Batch) -> Frames:
    """The true frames through the tokenizer and back: the best that a perfect model could show."""
    return batch.world_model.reconstruct(batch.frames)[:, -batch.future_frames :]


def single(batch: Batch) -> Frames:
    """One future of many, from the true actions."""
    return batch.imagine(batch.actions, batch.drawing)


def mean(batch: Batch) -> Frames:
    """The mean picture of several such futures, the single one among them."""
    return batch.imagine(batch.actions, batch.drawing, batch.samples)


Row = Callable[[Batch], Frames]
ROWS: Mapping[str, Row] = {row.__name__: row for row in (model, shuffled, none, copy_last, tokenizer)}


def rows_of(samples: int | None) -> dict[str, Row]:
    """What is compared, by name; with a number of samples also `single` and the mean of so many."""
    return {**ROWS} if samples is None else {**ROWS, "single": single, f"mean_of_{samples}": mean}
