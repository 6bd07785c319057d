"""Small ST-Transformers, and clips for them."""

import torch

from hwm_core.models.st_config import STConfig
from hwm_core.models.st_transformer import STTransformer

PAST, LATENTS, FACTOR = 2, 5, 4
NOW = 1 + (PAST - 1) * FACTOR  # frames of the past


def model(seed: int = 0, **changes: object) -> STTransformer:
    """A small model whose parameters are all random; with initial weights some attention would have no effect."""
    values = {
        "dim": 32,
        "depth": 2,
        "num_heads": 2,
        "dropout": 0.0,
        "levels": (5, 4),
        "grid": (4, 6),
        "patch": 2,
        "temporal_factor": FACTOR,
        "num_past_latents": PAST,
        "num_future_latents": LATENTS - PAST,
        "action_dim": 3,
        **changes,
    }
    net = STTransformer(STConfig.parse(values)).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return net


def clip(net: STTransformer, batch: int = 1, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens [B, T, H, W] and actions [B, F, A] of whole windows."""
    generator, config = torch.Generator().manual_seed(seed), net.config
    tokens = torch.randint(20, (batch, config.num_latents, *config.grid), generator=generator)
    return tokens, torch.randn(batch, config.past_frames + config.future_frames, 3, generator=generator)
