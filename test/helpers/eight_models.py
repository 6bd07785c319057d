"""Small versions of the paper's eight models with every attention pattern, and of the ST-Transformer, for the tests.

They are behind one set of calls. Every family also with its options for small data sets.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwm_core.nn.attention_spec import FLOW_VARIANTS, MASKED_VARIANTS, ST_VARIANTS
from hwm_core.nn.reachability import Node, nodes, reachability
from hwm_core.streams import Stream
from hwm_core.world_model.registry import build_model

PAST, LATENTS, FACTOR = 2, 5, 4
FRAMES = 1 + (LATENTS - 1) * FACTOR
SIZE = {
    "depth": 3,
    "num_heads": 2,
    "temporal_factor": FACTOR,
    "num_past_latents": PAST,
    "num_future_latents": LATENTS - PAST,
    "action_dim": 3,
}
SMALL: dict[str, dict[str, Any]] = {
    "masked": {"unshared_depth": 1, "dim": 32, "dropout": 0.0, "levels": [5, 4], "grid": [2, 3]},
    "flow": {"unshared_depth": 1, "dim": 24, "latent_channels": 3, "grid": [4, 6]},
    "st_transformer": {"dim": 32, "dropout": 0.0, "levels": [5, 4], "grid": [2, 3], "action_dropout": 0.4},
}
OPTIONS: dict[str, dict[str, Any]] = {
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
    "st_transformer": {"vocabulary": "factorised", "patch": 2, "grid": [4, 6]},
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

    @property
    def discrete(self) -> bool:
        """Whether the codes are tokens."""
        return self.family != "flow"

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
        if self.discrete:
            rows, columns = {**SMALL[self.family], **(OPTIONS[self.family] if self.options else {})}["grid"]
            codes = torch.randint(20, (batch, LATENTS, rows, columns), generator=generator)
        else:
            codes = torch.randn(batch, LATENTS, 4, 6, 3, generator=generator)
        return codes, torch.randn(batch, FRAMES, 3, generator=generator)

    def disturbed(self, codes: Tensor) -> Tensor:
        """Codes that differ everywhere."""
        return (codes + 7) % 20 if self.discrete else codes + 1.0

    def predict(self, net: Any, codes: Tensor, actions: Tensor | None) -> Tensor:
        """Logits or velocity of the future latents [B, T_future, ...], without a cache."""
        with torch.no_grad():
            if self.discrete:
                return net(net.to_sites(codes), actions)
            return net(codes[:, PAST:], torch.full((len(codes),), 0.3), codes[:, :PAST], actions)

    def declared(self, net: Any) -> NDArray[np.bool_]:
        """[future latents, nodes]: whether the prediction of a latent depends on a node, by the specs."""
        every, reached = nodes(PAST, LATENTS), reachability(net.backbone.specs, PAST, LATENTS)
        if self.family != "st_transformer":
            return reached[[every.index((Stream.FUTURE_VIDEO, latent)) for latent in range(PAST, LATENTS)]]
        # Latent i is predicted where latent i - 1 is read; latent j is read with the actions of latents j - 1 to j + 1.
        read = [(i, node) for i, node in enumerate(every) if node[0].is_video]
        rows = []
        for latent in range(PAST, LATENTS):
            at = next(i for i, (_, index) in read if index == latent - 1)
            inputs = [index for i, (_, index) in read if reached[at, i]]
            rows.append(
                [
                    index in inputs if stream.is_video else any(abs(index - one) <= 1 for one in inputs)
                    for stream, index in every
                ]
            )
        return np.array(rows)

    def predict_cached(self, net: Any, codes: Tensor, actions: Tensor) -> Tensor:
        """As `predict`, with a cache of the first sample's past, which all samples share."""
        past, future = actions[:1, : 1 + (PAST - 1) * FACTOR], actions[:, 1 + (PAST - 1) * FACTOR :]
        with torch.no_grad():
            if self.family == "masked":
                sites = net.to_sites(codes)
                return net.predict(net.append(sites[:1, :PAST], past), sites[:, PAST:], future)
            if self.family == "st_transformer":
                sites, found = net.to_sites(codes), []

                def force(hidden: Tensor) -> Tensor:
                    """The true tokens, as in teacher forcing."""
                    found.append(hidden)
                    return sites[:, PAST + len(found) - 1, None]

                newest = sites[:, PAST - 1 : PAST]
                net.unroll(newest, actions, net.observe(sites[:1, :PAST], past), LATENTS - PAST, force)
                return net.vocabulary.head(torch.cat(found, dim=1))
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
    *(Case("st_transformer", variant, "time_aligned", options) for variant in ST_VARIANTS for options in (False, True)),
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
