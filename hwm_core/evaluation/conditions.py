"""The conditions: the model's predictions, and the references that they are compared with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.condition_names import mean_of
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]
Actions = NDArray[np.float32]  # [B, future, A] in joint units and manifest order


@dataclass(frozen=True)
class WindowBatch:
    """B windows with their encoded contexts."""

    world_model: WorldModel
    config: EvaluationConfig
    seeds: Sequence[int]  # one for each window
    past: Past  # B contexts, encoded once for all conditions
    camera: Frames  # the camera's frames, past and future
    reference: Frames  # the frames that count as the truth: the camera's, or their reconstruction by the tokenizer
    actions: Mapping[str, Actions]  # the future actions of each condition that uses actions

    @property
    def future_frames(self) -> int:
        return self.actions["model"].shape[1]

    @property
    def newest(self) -> NDArray[np.uint8]:
        """The last frames of the past, [B, H, W, 3]."""
        return self.reference[:, -self.future_frames - 1]

    @property
    def truth(self) -> Frames:
        """The future frames."""
        return self.reference[:, -self.future_frames :]

    def predict(self, actions: Actions | None, sampling: Sampling | None = None, samples: int = 1) -> Frames:
        """The mean of `samples` predictions for each window. None drops the action stream."""
        return self.world_model.mean_frames(
            self.past,
            actions,
            samples,
            sampling=sampling or self.config.sampling,
            seed=self.seeds,
            num_frames=self.future_frames,
        )


def model(batch: WindowBatch) -> Frames:
    """The prediction under the true actions."""
    return batch.predict(batch.actions["model"])


def shuffled(batch: WindowBatch) -> Frames:
    """The prediction under another window's motion. The error is larger if the model uses its actions."""
    return batch.predict(batch.actions["shuffled"])


def none(batch: WindowBatch) -> Frames:
    """The prediction of the same network with the action stream dropped."""
    return batch.predict(None)


def zero(batch: WindowBatch) -> Frames:
    """The prediction under the newest action, repeated: no motion."""
    return batch.predict(batch.actions["zero"])


def reversed_motion(batch: WindowBatch) -> Frames:
    """The prediction under the window's own motion, backwards in time."""
    return batch.predict(batch.actions["reversed"])


def mean_prediction(batch: WindowBatch) -> Frames:
    """The model's mean prediction in one pass, beside another `sampling`."""
    return batch.predict(batch.actions["model"], Sampling())


def copy_last(batch: WindowBatch) -> Frames:
    """The newest frame, repeated."""
    return np.repeat(batch.newest[:, None], batch.future_frames, axis=1)


def tokenizer(batch: WindowBatch) -> Frames:
    """The true frames, encoded and decoded by the tokenizer: the ceiling for every prediction."""
    return batch.world_model.reconstruct(batch.camera)[:, -batch.future_frames :]


def single(batch: WindowBatch) -> Frames:
    """One sample under the true actions."""
    return batch.predict(batch.actions["model"], batch.config.sampling_of_samples)


def mean(batch: WindowBatch) -> Frames:
    """The pixel mean of several samples; the single sample is the first of them."""
    return batch.predict(batch.actions["model"], batch.config.sampling_of_samples, batch.config.samples or 1)


Condition = Callable[[WindowBatch], Frames]
CONDITIONS: Mapping[str, Condition] = {
    "model": model,
    "shuffled": shuffled,
    "none": none,
    "zero": zero,
    "reversed": reversed_motion,
    "mean_prediction": mean_prediction,
    "copy_last": copy_last,
    "tokenizer": tokenizer,
}


def conditions_of(config: EvaluationConfig) -> dict[str, Condition]:
    """The conditions that the configuration requests, by name."""
    chosen: dict[str, Condition] = {name: CONDITIONS[name] for name in config.conditions}
    return chosen if config.samples is None else {**chosen, "single": single, mean_of(config.samples): mean}
