"""Models of the paper's recipes with random weights and inputs, for measurements of cost only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.models.flow import FlowWorldModel
from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.network import WorldModelNetwork
from hwm_core.sampling.config import PAPER
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.recipe import Recipe
from hwm_core.types import Rollout
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past
from hwm_core.world_model.registry import build_model


def build(recipe: Recipe, device: torch.device | str) -> WorldModelNetwork:
    """A model in evaluation mode with random weights.

    Freshly initialised gates are zero, so the weights are drawn again.
    """
    with torch.device(device):
        model = build_model(recipe.family, recipe.model).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.02, 0.02)
    return model


@dataclass(frozen=True)
class Inputs:
    """One batch of random windows."""

    codes: Tensor  # [B, T, H, W] tokens, or [B, T, H, W, C] latents
    actions: Tensor  # [B, F, A]

    @classmethod
    def of(cls, model: WorldModelNetwork, batch: int) -> "Inputs":
        """`batch` windows of the shape that the model expects."""
        config, device = model.config, model.device
        grid = (batch, config.num_latents, *config.grid)
        if isinstance(model, MaskedWorldModel):
            codes = torch.randint(model.vocabulary.size, grid, device=device)
        else:
            assert isinstance(model, FlowWorldModel)
            codes = torch.randn(*grid, model.config.latent_channels, device=device)
        frames = config.past_frames + config.future_frames
        return cls(codes, torch.randn(batch, frames, config.action_dim, device=device))


def one_forward(model: WorldModelNetwork, inputs: Inputs) -> Callable[[], Tensor]:
    """One forward pass over the whole window without a cache.

    It computes the logits of every future token (masked), or the velocity at one time (flow).
    """
    past, actions = model.config.num_past_latents, inputs.actions
    if isinstance(model, MaskedWorldModel):
        sites = model.to_sites(inputs.codes).clone()
        sites[:, past:] = model.vocabulary.mask_token
        return lambda: model(sites, actions)
    past_latents, noisy = inputs.codes[:, :past], inputs.codes[:, past:]
    t = noisy.new_full((len(noisy),), 0.5)
    return lambda: model(noisy, t, past_latents, actions)


def forward_flops(recipe: Recipe, batch: int = 1) -> int:
    """Floating-point operations of the matrix products of one forward pass, counted on the meta device."""
    model = build(recipe, "meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        one_forward(model, Inputs.of(model, batch))()
    return counter.get_total_flops()


class Prediction:
    """A whole prediction with the paper's sampling settings: encode the past, predict latents, decode frames."""

    def __init__(self, recipe: Recipe, model: WorldModelNetwork, batch: int) -> None:
        config, device = model.config, model.device
        tokenizer = build_tokenizer(recipe.trained_tokenizer).to(device).eval()
        height, width = (size * tokenizer.spatial_factor for size in config.grid)
        joints, rng = [f"joint_{i}" for i in range(config.action_dim)], np.random.default_rng(0)
        manifest = fit_manifest("random", "states", joints, ["rad"] * len(joints), rng.normal(size=(99, len(joints))))
        preprocessing = Preprocessing(source_aspect=width / height, height=height, width=width)
        self._world_model = WorldModel(Checkpoint("random", recipe.family, model, tokenizer, manifest, preprocessing))
        frames = config.past_frames + config.future_frames
        self._frames = rng.integers(0, 256, (batch, config.past_frames, height, width, 3), np.uint8)
        self._actions = rng.normal(size=(batch, frames, len(joints))).astype(np.float32)

    def observe(self) -> Past:
        """Encode the past, and prefill the cache with it."""
        return self._world_model.observe(self._frames, self._actions[:, : self._world_model.past_frames])

    def latents(self, past: Past) -> Rollout:
        """Predict the future latents, without the tokenizer."""
        future = self._actions[:, self._world_model.past_frames :]
        return self._world_model.rollout(past, future, sampling=PAPER[self._world_model.family])

    def frames(self) -> object:
        """Predict frames from frames."""
        past = self.observe()
        return self._world_model.frames(past, self.latents(past))
