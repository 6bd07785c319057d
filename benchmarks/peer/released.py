"""Import the released implementation from a checkout of https://github.com/qasim-ali0/humanoid_world_model.

This repository contains none of its code. Three problems prevent its masked split model from running on a CPU. Each is
fixed here in memory, without a change to its arithmetic:

* genie/attention.py, line 3, imports xformers, which has no attention for CPUs. PyTorch's attention replaces it: the
  same function of the same arguments (`_XFORMERS`).
* genie/rope.py asks for the current CUDA device and moves its table there (`torch.cuda.current_device()`, `.cuda()`).
* genie/st_transformer.py builds 24 blocks of the base variant. They return two outputs, but its loop passes them on as
  one and fails. The loop fits the split variant, whose constructor is commented out (`STBlockOneStream`).
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.models.masked_config import MaskedConfig

FRAMES = 17  # 9 past and 8 future; fixed in the released code, as is the grid of 32x32


def build_peer(checkout: Path, config: MaskedConfig, device: torch.device) -> Any:
    """Build the released masked split model with hwm's configuration.

    Raises:
        BadConfig: the folder is not a checkout, or a module that it imports is not installed.
    """
    folder = checkout / "Masked-HWM"
    if not (folder / "genie").is_dir():
        raise BadConfig(
            "--peer",
            expected="a checkout that holds Masked-HWM/genie",
            got=f"{checkout}",
            remedy="git clone https://github.com/qasim-ali0/humanoid_world_model",
        )
    with _on_path(folder), _attention(device):
        try:
            settings, transformer, model = (
                importlib.import_module(f"genie.{name}") for name in ("config", "st_transformer", "st_mask_git")
            )
        except ModuleNotFoundError as error:
            raise BadConfig(
                "--peer",
                expected="an environment with the modules that it imports",
                got=str(error),
                remedy="pip install --no-deps mup; pip install transformers huggingface_hub tqdm einops",
            ) from None
        values = settings.GenieConfig(
            num_layers=config.depth,
            num_heads=config.num_heads,
            d_model=config.dim,
            d_action=config.action_dim,
            T=config.num_latents,
            S=config.grid[0] * config.grid[1],
            image_vocab_size=64000,
            num_prompt_frames=config.num_past_latents,
            qk_norm=False,
            mlp_ratio=config.mlp_ratio,
            mlp_drop=config.dropout,
        )
        values.with_act = True
        with _rotary_table_on(device), patch.object(transformer, "STBlockBase", transformer.STBlockOneStream):
            return model.STMaskGIT(values).to(device)


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _attention(device: torch.device) -> Iterator[None]:
    """On a GPU xformers' attention; on a CPU PyTorch's in its place."""
    with patch.dict(sys.modules, {} if device.type == "cuda" else {"xformers": _XFORMERS, "xformers.ops": _OPS}):
        yield


@contextmanager
def _rotary_table_on(device: torch.device) -> Iterator[None]:
    with (
        patch.object(torch.cuda, "current_device", lambda: device),
        patch.object(Tensor, "cuda", lambda tensor: tensor.to(device)),
    ):
        yield


class _LowerTriangularMask:
    """Causal attention: a token attends to itself and to earlier tokens."""


def _memory_efficient_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: _LowerTriangularMask | None = None, scale: float | None = None
) -> Tensor:
    """Attention over [B, N, K, D], the axis order of xformers; the softmax is over the N keys."""
    attended = F.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        is_causal=attn_bias is not None,
        scale=scale,
    )
    return attended.transpose(1, 2)


_XFORMERS, _OPS = ModuleType("xformers"), ModuleType("xformers.ops")
vars(_OPS).update(
    LowerTriangularMask=_LowerTriangularMask,
    memory_efficient_attention=_memory_efficient_attention,
    unbind=torch.unbind,
)
