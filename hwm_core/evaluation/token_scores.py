"""How well a masked model predicts the codes of the whole future at once, from the past alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.conditions import Batch
from hwm_core.io.resumable import Numbers
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.models.masked import MaskedWorldModel
from hwm_core.world_model.model import WorldModel

TOKEN_ROWS = ("model", "shuffled", "none")
_CE, _ACCURACY = "token_ce", "token_accuracy"


@dataclass(frozen=True)
class TokenScores:
    """W windows, by row: with the own actions, with another's motion, without actions."""

    ce: Mapping[str, NDArray[np.float64]]  # [W] nats a code, mean over all latents to come
    accuracy: Mapping[str, NDArray[np.float64]]  # [W] how often the likeliest code came
    vocabulary: int

    @classmethod
    def of(cls, numbers: Numbers, vocabulary: int) -> "TokenScores":
        """From what `evaluate_tokens` gave."""
        ce, accuracy = ({row: numbers[f"{row}/{key}"] for row in TOKEN_ROWS} for key in (_CE, _ACCURACY))
        return cls(ce, accuracy, vocabulary)

    @property
    def uniform_ce(self) -> float:
        """Of a guess that every code is as likely."""
        return math.log(self.vocabulary)

    def only(self, windows: NDArray[np.bool_]) -> "TokenScores":
        """The same for the windows chosen."""
        ce, accuracy = ({row: some[windows] for row, some in one.items()} for one in (self.ce, self.accuracy))
        return TokenScores(ce, accuracy, self.vocabulary)

    def saved(self, over: str, episode: NDArray[np.int64], seed: int) -> Interval:
        """How many nats a code `model` is below `over`."""
        return paired_bootstrap(self.ce[over] - self.ce["model"], episode, seed)


def predicts_tokens(world_model: WorldModel) -> bool:
    """Whether it gives distributions over codes."""
    return isinstance(world_model.model, MaskedWorldModel)


@torch.inference_mode()
def evaluate_tokens(batch: Batch) -> Numbers:
    """Nats and accuracy [B] of every row, by the names they are kept by.

    Evaluated are the latents of the windows' future that the model predicts in one go. A window at a time: 64,000
    logits of each code of 3 latents of 32x32 are 786 MB.
    """
    world, model = batch.world_model, batch.world_model.model
    past, factor = world.past_frames, model.config.temporal_factor
    future = min(batch.future_frames, world.future_frames) // factor * factor
    motions = {row: None if row == "none" else batch.motions[row][:, :future] for row in TOKEN_ROWS}
    generator = torch.Generator(world.device)  # nothing is drawn
    found: dict[str, list[float]] = {}
    with world.autocast():
        tokens = world.tokenizer.encode(world.to_video(batch.frames[:, : past + future]))
        for row, motion in motions.items():
            for window in range(len(tokens)):
                actions = None
                if motion is not None:
                    own = torch.as_tensor(motion[window], device=world.device)
                    actions = world.manifest.normalise(torch.cat([batch.past.actions[window], own]))[None]
                scores = model.future_loss(tokens[window, None], actions, generator)
                found.setdefault(f"{row}/{_CE}", []).append(float(scores["loss"]))
                found.setdefault(f"{row}/{_ACCURACY}", []).append(float(scores["accuracy"]))
    return {name: np.array(values) for name, values in found.items()}
