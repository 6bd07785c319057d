"""Scores a model's prediction of all codes of the future from the past alone.

A masked model predicts them in one pass, an ST-Transformer latent after latent with its own likeliest codes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.conditions import WindowBatch
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.models.token_network import TokenNetwork
from hwm_core.world_model.model import WorldModel

TOKEN_CONDITIONS = ("model", "shuffled", "none")


@dataclass(frozen=True)
class TokenScores:
    """Scores of W windows by condition: the true actions, shuffled actions, no actions."""

    ce: Mapping[str, NDArray[np.float64]]  # [W] cross-entropy in nats per code, the mean over all future latents
    accuracy: Mapping[str, NDArray[np.float64]]  # [W] share of tokens whose likeliest code is the true code
    vocabulary: int  # number of codes

    @property
    def uniform_ce(self) -> float:
        """The cross-entropy of a uniform distribution over all codes."""
        return math.log(self.vocabulary)

    def only(self, windows: NDArray[np.bool_]) -> "TokenScores":
        """The chosen windows, bool [W]."""
        ce, accuracy = ({name: some[windows] for name, some in of.items()} for of in (self.ce, self.accuracy))
        return TokenScores(ce, accuracy, self.vocabulary)

    def saved(self, over: str, episode: NDArray[np.int64], seed: int) -> Interval:
        """The nats per code by which the cross-entropy of `model` is below the cross-entropy of `over`."""
        return paired_bootstrap(self.ce[over] - self.ce["model"], episode, seed)


def predicts_tokens(world_model: WorldModel) -> bool:
    """Whether the model predicts distributions over codes."""
    return isinstance(world_model.model, TokenNetwork)


@torch.inference_mode()
def evaluate_tokens(batch: WindowBatch) -> TokenScores:
    """Scores of B windows, over the future latents that the model predicts.

    One window at a time: the 64,000 logits of each code take 786 MB for 3 latents of 32x32.
    """
    world, model = batch.world_model, batch.world_model.model
    assert isinstance(model, TokenNetwork)
    past, factor = world.past_frames, model.config.temporal_factor
    future = min(batch.future_frames, world.future_frames) // factor * factor
    played = {name: None if name == "none" else batch.actions[name][:, :future] for name in TOKEN_CONDITIONS}
    generator = torch.Generator(world.device)  # unused: nothing is sampled
    ce: dict[str, list[float]] = {name: [] for name in TOKEN_CONDITIONS}
    accuracy: dict[str, list[float]] = {name: [] for name in TOKEN_CONDITIONS}
    with world.autocast():
        tokens = world.tokenizer.encode(world.to_video(batch.camera[:, : past + future]))
        for name, of_condition in played.items():
            for window in range(len(tokens)):
                actions = None
                if of_condition is not None:
                    ahead = torch.as_tensor(of_condition[window], device=world.device)
                    actions = world.manifest.normalise(torch.cat([batch.past.actions[window], ahead]))[None]
                scores = model.future_loss(tokens[window, None], actions, generator)
                ce[name].append(float(scores["loss"]))
                accuracy[name].append(float(scores["accuracy"]))
    return TokenScores(
        ce={name: np.array(values) for name, values in ce.items()},
        accuracy={name: np.array(values) for name, values in accuracy.items()},
        vocabulary=model.vocabulary.size,
    )
