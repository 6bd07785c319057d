"""Small versions of the paper's eight models with every attention pattern, behind one set of calls for the tests.

Both families also with their options for small data sets.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hwm_core.nn.attention_spec import FLOW_VARIANTS, MASKED_VARIANTS
from hwm_core.nn.reachability import Node
from hwm_core.world_model.registry import build_model

PAST, LATENTS, FACTOR = 2, 5, 4
FRAMES = 1 + (LATENTS - 1) * FACTOR
SIZE = {
    "unshared_depth": 1,
    "depth": 3,
    "num_heads": 2,
    "temporal_factor": FACTOR,
    "num_past_latents": PAST,
    "num_future_latents": LATENTS - PAST,
    "action_dim": 3,
}
SMALL = {
    "masked": {"dim": 32, "dropout": 0.0, "levels": [5, 4], "grid": [2, 3]},
    "flow": {"dim": 24, "latent_channels": 3, "grid": [4, 6]},
}
OPTIONS = {
    "masked": {"action_points": 3},
    "flow": {
        "predicts": "data",
        "input_scaling": "linear_estimate",
        "position": "rotary_and_learned",
        "modulation": "time_and_actions",
        "qk_norm": "always",
        "conv_width": 8,
        "conv_blocks": 1,
        "action_points": 3,
    },
}


@dataclass(frozen=True)
class Case:
    """One model of the table: family, variant and attention pattern."""

    family: str
    variant: str
    attention: str
    options: bool = False  # with all `OPTIONS` of the family

    def __str__(self) -> str:
        return f"{self.family}-{self.variant}-{self.attention}{'-options' if self.options else ''}"

    def build(self, *, random: bool = True, seed: int = 0, **changes: object) -> Any:
        """A small model, by default with all parameters random: closed gates (AdaLN) would hide dependencies."""
        torch.manual_seed(seed)
        config = {
            "variant": self.variant,
            "attention": self.attention,
            **SIZE,
            **SMALL[self.family],
            **(OPTIONS[self.family] if self.options else {}),
            **changes,
        }
        net = build_model(self.family, config)
        return randomise(net, seed) if random else net

    def clip(self, batch: int = 1, seed: int = 1) -> tuple[Tensor, Tensor]:
        """Codes of a clip, tokens or latents [B, T, H, W(, C)], and actions [B, F, A]."""
        generator = torch.Generator().manual_seed(seed)
        if self.family == "masked":
            codes = torch.randint(20, (batch, LATENTS, 2, 3), generator=generator)
        else:
            codes = torch.randn(batch, LATENTS, 4, 6, 3, generator=generator)
        return codes, torch.randn(batch, FRAMES, 3, generator=generator)

    def disturbed(self, codes: Tensor) -> Tensor:
        """Codes that differ everywhere."""
        return (codes + 7) % 20 if self.family == "masked" else codes + 1.0

    def predict(self, net: Any, codes: Tensor, actions: Tensor | None) -> Tensor:
        """Logits or velocity of the future latents [B, T_future, ...], without a cache."""
        with torch.no_grad():
            if self.family == "masked":
                return net(net.to_sites(codes), actions)
            return net(codes[:, PAST:], torch.full((len(codes),), 0.3), codes[:, :PAST], actions)

    def predict_cached(self, net: Any, codes: Tensor, actions: Tensor) -> Tensor:
        """As `predict`, with a cache of the first sample's past, which all samples share."""
        past, future = actions[:1, : 1 + (PAST - 1) * FACTOR], actions[:, 1 + (PAST - 1) * FACTOR :]
        with torch.no_grad():
            if self.family == "masked":
                sites = net.to_sites(codes)
                return net.predict(net.append(sites[:1, :PAST], past), sites[:, PAST:], future)
            cache = net.prefill(codes[:1, :PAST], past)
            return net.predict(cache, codes[:, PAST:], torch.full((len(codes),), 0.3), future)


CASES = [
    *(
        Case("masked", variant, attention, options)
        for variant in MASKED_VARIANTS
        for attention in ("time_aligned", "bidirectional")
        for options in (False, True)
    ),
    *(
        Case("flow", variant, attention, options)
        for variant in FLOW_VARIANTS
        for attention in ("full", "clean_context")
        for options in (False, True)
    ),
]


def randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter from N(0, 0.2); evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return net.eval()


def frames_of(latent: int) -> slice:
    """The frames of a latent."""
    return slice(0, 1) if latent == 0 else slice(1 + (latent - 1) * FACTOR, 1 + latent * FACTOR)


def disturb(case: Case, codes: Tensor, actions: Tensor, node: Node) -> tuple[Tensor, Tensor]:
    """The clip with one stream changed at one latent."""
    (stream, latent), codes, actions = node, codes.clone(), actions.clone()
    if stream.is_video:
        codes[:, latent] = case.disturbed(codes[:, latent])
    else:
        actions[:, frames_of(latent)] += 1.0
    return codes, actions
