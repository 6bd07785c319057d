"""Models of the paper's recipes with made-up weights and inputs: for figures of cost, not of quality."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.models.network import WorldModelNetwork
from hwm_core.sampling.config import Sampling
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.recipe import Recipe
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.model import Past, Rollout, WorldModel
from hwm_core.world_model.registry import build_model

DECODES = {
    "masked": Sampling(steps=2, parallel=False, soft=False),
    "flow": Sampling(steps=50, guidance_scale=3.0),
}
"""A whole decode as in the paper."""


def build(recipe: Recipe, device: torch.device | str) -> WorldModelNetwork:
    """A model in evaluation mode whose gates are not zero, as they are when training begins."""
    with torch.device(device):
        model = build_model(recipe.family, recipe.model).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.02, 0.02)
    return model


@dataclass(frozen=True)
class Inputs:
    """One batch of made-up windows."""

    codes: Tensor  # [B, T, H, W] tokens, or [B, T, H, W, C] latents
    actions: Tensor  # [B, F, A]

    @classmethod
    def of(cls, family: str, model: Any, batch: int) -> "Inputs":
        config, device = model.config, next(model.parameters()).device
        grid = (batch, config.num_latents, *config.grid)
        if family == "masked":
            codes = torch.randint(model.vocabulary.size, grid, device=device)
        else:
            codes = torch.randn(*grid, config.latent_channels, device=device)
        frames = config.past_frames + config.future_frames
        return cls(codes, torch.randn(batch, frames, config.action_dim, device=device))


def one_forward(family: str, model: Any, inputs: Inputs) -> Callable[[], Tensor]:
    """One pass over the whole window, nothing cached: logits of every future token, or the velocity at one time."""
    past, actions = model.config.num_past_latents, inputs.actions
    if family == "masked":
        sites = model.to_sites(inputs.codes).clone()
        sites[:, past:] = model.vocabulary.mask_token
        return lambda: model(sites, actions)
    before, noisy = inputs.codes[:, :past], inputs.codes[:, past:]
    t = noisy.new_full((len(noisy),), 0.5)
    return lambda: model(noisy, t, before, actions)


def forward_flops(recipe: Recipe, batch: int = 1) -> int:
    """Floating-point operations of the matrix products of one forward; nothing is computed."""
    model = build(recipe, "meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        one_forward(recipe.family, model, Inputs.of(recipe.family, model, batch))()
    return counter.get_total_flops()


class WholeDecode:
    """Futures from pictures and actions, by `DECODES`, in three parts: see, imagine, paint."""

    def __init__(self, recipe: Recipe, model: WorldModelNetwork, batch: int) -> None:
        config, device = model.config, next(model.parameters()).device
        tokenizer = build_tokenizer(recipe.tokenizer).to(device).eval()
        height, width = (size * tokenizer.spatial_factor for size in config.grid)
        joints, rng = [f"joint_{i}" for i in range(config.action_dim)], np.random.default_rng(0)
        manifest = fit_manifest("made_up", "states", joints, ["rad"] * len(joints), rng.normal(size=(99, len(joints))))
        camera = Preprocessing(source_aspect=width / height, height=height, width=width)
        self._world = WorldModel(Checkpoint("made_up", recipe.family, model, tokenizer, manifest, camera))
        frames = config.past_frames + config.future_frames
        self._frames = rng.integers(0, 256, (batch, config.past_frames, height, width, 3), np.uint8)
        self._actions = rng.normal(size=(batch, frames, len(joints))).astype(np.float32)

    def see(self) -> Past:
        """Encode the past, and settle what may be cached of it."""
        return self._world.observe_many(self._frames, self._actions[:, : self._world.past_frames])

    def imagine(self, past: Past) -> Rollout:
        """The future's latents: no tokenizer in it."""
        future = self._actions[:, self._world.past_frames :]
        return self._world.rollout(past, future, sampling=DECODES[self._world.family])

    def whole(self) -> object:
        """From pictures to pictures."""
        past = self.see()
        return self._world.frames(past, self.imagine(past))
