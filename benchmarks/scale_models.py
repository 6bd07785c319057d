"""Models at the paper's size, or any other, with made-up weights and inputs: for figures of cost, not of quality."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hwm_core.families import build_model, family
from hwm_core.sampling.config import Sampling
from hwm_core.train.trainer import Batch

DECODES = {
    "masked": Sampling(steps=2, parallel=False, soft=False),
    "flow": Sampling(steps=50, guidance_scale=3.0),
}
"""A whole decode as in the paper."""


def build(name: str, config: Mapping[str, Any], device: torch.device | str) -> Any:
    """A model in evaluation mode whose gates are not zero, as they are when training begins."""
    with torch.device(device):
        model = build_model(name, config).eval()
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
    def of(cls, model: Any, batch: int) -> "Inputs":
        config, device = model.config, next(model.parameters()).device
        grid = (batch, config.num_latents, *config.grid)
        if hasattr(config, "levels"):
            codes = torch.randint(model.vocabulary.size, grid, device=device)
        else:
            codes = torch.randn(*grid, config.latent_channels, device=device)
        frames = config.past_frames + config.future_frames
        return cls(codes, torch.randn(batch, frames, config.action_dim, device=device))


def one_forward(name: str, model: Any, inputs: Inputs) -> Callable[[], Tensor]:
    """One pass over the whole window, nothing cached: logits of every future token, or the velocity at one time."""
    past, actions = model.config.num_past_latents, inputs.actions
    if name == "masked":
        sites = model.to_sites(inputs.codes).clone()
        sites[:, past:] = model.vocabulary.mask_token
        return lambda: model(sites, actions)
    before, noisy = inputs.codes[:, :past], inputs.codes[:, past:]
    t = noisy.new_full((len(noisy),), 0.5)
    return lambda: model(noisy, t, before, actions)


def whole_decode(name: str, model: Any, inputs: Inputs) -> Callable[[], object]:
    """From the past's codes to the future's, as `DECODES` says; without the tokenizer."""
    config, predictor = model.config, family(name).predictor(model)
    past, frames = config.num_past_latents, config.past_frames
    generator = torch.Generator(inputs.actions.device).manual_seed(0)

    def decode() -> object:
        known = predictor.observe(inputs.codes[:, :past], inputs.actions[:, :frames])
        return predictor.predict(
            known,
            inputs.actions[:, frames:],
            candidates=len(inputs.actions),
            num_latents=config.num_future_latents,
            sampling=DECODES[name],
            generator=generator,
        )

    return decode


def forward_flops(name: str, config: Mapping[str, Any], batch: int = 1) -> int:
    """Floating-point operations of the matrix products of one forward; nothing is computed."""
    model = build(name, config, "meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        one_forward(name, model, Inputs.of(model, batch))()
    return counter.get_total_flops()


class CodesTrainee:
    """Trains on codes that are there already."""

    def __init__(self, model: nn.Module) -> None:
        self.module: Any = model

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.module.loss(batch["codes"], batch["actions"], generator)
