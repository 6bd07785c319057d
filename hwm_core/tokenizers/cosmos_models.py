"""The published Cosmos video tokenizers, and how a folder of files is identified as one of them.

Published at github.com/NVIDIA/Cosmos-Tokenizer. Frames enter as [B, 3, 1 + factor * k, H, W] in [-1, 1], bfloat16.

A discrete encoder returns indices int32 [B, 1 + k, h, w] from 0 to 63,999, first digit fastest: the sum of d_i times
(1, 8, 64, 512, 2560, 12800)_i over FSQ levels (8, 8, 8, 5, 5, 5) (`FSQuantizer.codes_to_indices`), as in `fsq`.
A continuous encoder returns latents [B, 16, 1 + k, h, w], not normalised.
"""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from hwm_core.errors import BadCheckpoint
from hwm_core.tokenizers.cosmos_files import Codec
from hwm_core.tokenizers.fsq import codebook_size

LEVELS = (8, 8, 8, 5, 5, 5)
_FRAMES, _PREFIX, _SIZE = 17, 9, 64  # of the test clip: frames, frames of its prefix, pixels per side


class CosmosModel(NamedTuple):
    """One published tokenizer."""

    temporal_factor: int
    spatial_factor: int
    codes: Literal["discrete", "continuous"]
    latent_channels: int


COSMOS_MODELS: dict[str, CosmosModel] = {
    "CV4x8x8": CosmosModel(4, 8, "continuous", 16),
    "CV8x8x8": CosmosModel(8, 8, "continuous", 16),
    "CV8x16x16": CosmosModel(8, 16, "continuous", 16),
    "DV4x8x8": CosmosModel(4, 8, "discrete", len(LEVELS)),
    "DV8x8x8": CosmosModel(8, 8, "discrete", len(LEVELS)),
    "DV8x16x16": CosmosModel(8, 16, "discrete", len(LEVELS)),
}


def reproducible(device: torch.device) -> AbstractContextManager:
    """No gradient, no autocast and no fusion: with fusion, TorchScript's third call rounds unlike its first."""
    stack = ExitStack()
    stack.enter_context(torch.no_grad())
    stack.enter_context(torch.autocast(device.type, enabled=False))
    stack.enter_context(torch.jit.optimized_execution(False))
    return stack


def codes_of(output: Any) -> Tensor:
    """The codes in the output of an encoder; FSQ values, a posterior or a loss may follow them."""
    return output if isinstance(output, Tensor) else output[0]


def identify(codec: Codec, folder: Path, device: torch.device, dtype: torch.dtype) -> str:
    """The name of the Cosmos model, from its codes of a small moving clip.

    Raises:
        BadCheckpoint: the files do not keep the contract, look ahead in time, or belong to another model than the
            folder's name states.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, _FRAMES, _SIZE // 8, _SIZE // 8, generator=generator)
    clip = (2 * coarse.repeat_interleave(8, -1).repeat_interleave(8, -2) - 1).to(device, dtype)
    try:
        with reproducible(device):
            codes, prefix = (codes_of(codec.encode(frames)) for frames in (clip, clip[:, :, :_PREFIX]))
            reconstruction = codec.decode(codes)
    except (torch.jit.Error, RuntimeError, TypeError) as error:
        raise _broken(
            folder,
            f"files that run in {dtype} on {device}",
            str(error).strip().splitlines()[-1],
            "The published files were traced on a GPU in bfloat16: try device cuda, and bfloat16.",
        ) from None
    name = _name(codes)
    if name is None or reconstruction.shape != clip.shape:
        got = f"{codes.dtype} {list(codes.shape)}, and {list(reconstruction.shape)} decoded from {list(clip.shape)}"
        raise _broken(folder, " or ".join(COSMOS_MODELS), got, "Give the folder of one of these video tokenizers.")
    stated = [other for other in COSMOS_MODELS if other.lower() in folder.name.lower()]
    if stated and name not in stated:
        raise _broken(
            folder,
            f"{stated[0]}, as the folder's name states",
            name,
            f"Rename the folder to {name}, or download {stated[0]} again.",
        )
    if not _agree(prefix, codes):
        got = "codes that change when later frames are left out"
        raise _broken(folder, "an encoder that does not look ahead in time", got, "Use another tokenizer.")
    return name


def _name(codes: Tensor) -> str | None:
    discrete = not codes.is_floating_point()
    if codes.ndim != (4 if discrete else 5):
        return None
    if discrete and (int(codes.min()) < 0 or int(codes.max()) >= codebook_size(LEVELS)):
        return None
    found = CosmosModel(
        temporal_factor=(_FRAMES - 1) // max(1, codes.shape[-3] - 1),
        spatial_factor=_SIZE // codes.shape[-2],
        codes="discrete" if discrete else "continuous",
        latent_channels=len(LEVELS) if discrete else codes.shape[1],
    )
    return next((name for name, model in COSMOS_MODELS.items() if model == found), None)


def _agree(prefix: Tensor, codes: Tensor) -> bool:
    """Equal except for rounding: bfloat16 sums of another length may change a value, and so a digit."""
    axis = codes.ndim - 3
    same = codes.narrow(axis, 0, prefix.shape[axis])
    if not codes.is_floating_point():
        return bool((prefix == same).float().mean() > 0.5)
    return bool((prefix - same).float().abs().mean() < 0.1 * codes.float().std())


def _broken(folder: Path, expected: str, got: str, remedy: str) -> BadCheckpoint:
    return BadCheckpoint(f"Cosmos tokenizer in {folder}", expected=expected, got=got, remedy=remedy)
