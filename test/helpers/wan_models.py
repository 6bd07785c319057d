"""Small Wan models: pipeline folders with random weights, and models over them."""

import tempfile
from functools import cache
from pathlib import Path

import torch

from benchmarks.wan.pipeline import untrained_transformer, untrained_vae, write_pipeline
from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_config import WanConfig

PAST, LATENTS, CHANNELS = 2, 6, 4
FRAMES = 21
TRANSFORMER = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32, "freq_dim": 32, "num_layers": 2}
SIZES = {
    "dim": 24,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 32 / 24,
    "latent_channels": CHANNELS,
    "text_dim": 32,
    "freq_dim": 32,
    "grid": (4, 4),
    "action_dim": 3,
    "base_dtype": "float32",
    "lora_rank": 4,
    "text_length": 8,
}


def pipeline(folder: Path, seed: int = 0) -> Path:
    """A pipeline folder: 16 px frames become latents of 2x2 cells with 4 channels."""
    torch.manual_seed(seed)
    vae = untrained_vae(CHANNELS, base_dim=4, decoder_base_dim=4, dim_mult=[1, 1, 1])
    return write_pipeline(folder, untrained_transformer(CHANNELS, **TRANSFORMER), vae)


@cache
def _temporary() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="wan_pipeline_")  # removed when the process ends


@cache
def saved_pipeline() -> Path:
    """A pipeline folder for all tests of this process, which do not change it."""
    return pipeline(Path(_temporary().name) / "pipeline")


def model(seed: int = 0, random: bool = True, **changes: object) -> WanWorldModel:
    """A small model; `random`: also the weights that start at zero are random, which otherwise hide dependencies."""
    torch.manual_seed(seed)
    made = WanWorldModel(WanConfig.parse({**SIZES, **changes})).eval()
    if random:
        for parameter in made.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.2)
    return made


def clip(batch: int = 1, seed: int = 1, joints: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents [B, T, H, W, C] and actions [B, F, A] of whole windows."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(batch, LATENTS, 4, 4, CHANNELS, generator=generator)
    return codes, torch.randn(batch, FRAMES, joints, generator=generator)
