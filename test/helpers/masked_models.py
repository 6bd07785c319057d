"""Small masked models of every variant, and clips for them."""

import torch

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.masked_config import MaskedConfig
from hwm_core.nn.attention_spec import MASKED_VARIANTS

PAST, LATENTS, FACTOR = 2, 5, 4
VARIANTS = sorted(MASKED_VARIANTS)


def model(variant: str, attention: str = "time_aligned", seed: int = 0, **changes: object) -> MaskedWorldModel:
    """A small model whose parameters are all random; with initial weights some attention would have no effect."""
    config = MaskedConfig(
        variant=variant,
        attention=attention,
        unshared_depth=1,
        dim=32,
        depth=3,
        num_heads=2,
        dropout=0.0,
        levels=(5, 4),
        grid=(2, 3),
        temporal_factor=FACTOR,
        num_past_latents=PAST,
        num_future_latents=LATENTS - PAST,
        action_dim=3,
    )
    net = MaskedWorldModel(config.model_copy(update=changes)).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return net


def clip(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens by site [1, T, h, w, 1] and actions [1, F, A]."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(20, (1, LATENTS, 2, 3, 1), generator=generator)
    return tokens, torch.randn(1, 1 + (LATENTS - 1) * FACTOR, 3, generator=generator)
