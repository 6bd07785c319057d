"""The Cosmos video tokenizers there are, and what their files must do when asked.

Published at github.com/NVIDIA/Cosmos-Tokenizer. Frames enter as [B, 3, 1 + factor * k, H, W] in [-1, 1], bfloat16.

A discrete one answers with indices int32 [B, 1 + k, h, w], 0 to 63,999, first digit fastest: the sum of d_i times
(1, 8, 64, 512, 2560, 12800)_i over FSQ levels (8, 8, 8, 5, 5, 5) (`FSQuantizer.codes_to_indices`), the order of `fsq`.
A continuous one answers with latents [B, 16, 1 + k, h, w], not normalised.
"""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from hwm_core.errors import BadCheckpoint
from hwm_core.tokenizers.fsq import codebook_size

LEVELS = (8, 8, 8, 5, 5, 5)
_FRAMES, _PREFIX, _SIZE = 17, 9, 64  # of the clip that files are asked about


class Sibling(NamedTuple):
    temporal_factor: int
    spatial_factor: int
    codes: Literal["discrete", "continuous"]
    latent_channels: int


SIBLINGS: dict[str, Sibling] = {
    "CV4x8x8": Sibling(4, 8, "continuous", 16),
    "CV8x8x8": Sibling(8, 8, "continuous", 16),
    "CV8x16x16": Sibling(8, 16, "continuous", 16),
    "DV4x8x8": Sibling(4, 8, "discrete", len(LEVELS)),
    "DV8x8x8": Sibling(8, 8, "discrete", len(LEVELS)),
    "DV8x16x16": Sibling(8, 16, "discrete", len(LEVELS)),
}


def exactly(device: torch.device) -> AbstractContextManager:
    """No gradient, no autocast, and no fusion: TorchScript's third call would otherwise round unlike its first."""
    stack = ExitStack()
    stack.enter_context(torch.no_grad())
    stack.enter_context(torch.autocast(device.type, enabled=False))
    stack.enter_context(torch.jit.optimized_execution(False))
    return stack


def codes_of(answer: Any) -> Tensor:
    """The codes in what an encoder says, which may be followed by FSQ values, a posterior or a loss."""
    return answer if isinstance(answer, Tensor) else answer[0]


def identify(codec: nn.Module, folder: Path, device: torch.device, dtype: torch.dtype) -> str:
    """Which sibling this is, by the answer to a small moving clip.

    Raises:
        BadCheckpoint: the files break the contract, look ahead in time, or are another sibling than the folder's name
            says.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, _FRAMES, _SIZE // 8, _SIZE // 8, generator=generator)
    clip = (2 * coarse.repeat_interleave(8, -1).repeat_interleave(8, -2) - 1).to(device, dtype)
    try:
        with exactly(device):
            codes, prefix = (codes_of(codec.encode(some)) for some in (clip, clip[:, :, :_PREFIX]))
            rebuilt = codec.decode(codes)
    except (torch.jit.Error, RuntimeError, TypeError) as error:
        raise _broken(
            folder,
            f"files that run in {dtype} on {device}",
            str(error).strip().splitlines()[-1],
            "The published files were traced on a GPU in bfloat16: try device cuda, and bfloat16.",
        ) from None
    name = _name(codes)
    if name is None or rebuilt.shape != clip.shape:
        got = f"{codes.dtype} {list(codes.shape)}, rebuilt {list(rebuilt.shape)} of a clip {list(clip.shape)}"
        raise _broken(folder, " or ".join(SIBLINGS), got, "Give the folder of one of these video tokenizers.")
    stated = [other for other in SIBLINGS if other.lower() in folder.name.lower()]
    if stated and name not in stated:
        raise _broken(
            folder,
            f"{stated[0]}, as its name says",
            name,
            f"Rename the folder {name}, or download {stated[0]} again.",
        )
    if not _agree(prefix, codes):
        raise _broken(folder, "an encoder that never looks ahead", "other codes when later frames go", "Use another.")
    return name


def _name(codes: Tensor) -> str | None:
    whole = not codes.is_floating_point()
    if codes.ndim != (4 if whole else 5):
        return None
    if whole and (int(codes.min()) < 0 or int(codes.max()) >= codebook_size(LEVELS)):
        return None
    found = Sibling(
        temporal_factor=(_FRAMES - 1) // max(1, codes.shape[-3] - 1),
        spatial_factor=_SIZE // codes.shape[-2],
        codes="discrete" if whole else "continuous",
        latent_channels=len(LEVELS) if whole else codes.shape[1],
    )
    return next((name for name, row in SIBLINGS.items() if row == found), None)


def _agree(prefix: Tensor, codes: Tensor) -> bool:
    """Equal but for rounding: bfloat16 sums of another length may move a value, and with it a digit."""
    axis = codes.ndim - 3
    same = codes.narrow(axis, 0, prefix.shape[axis])
    if not codes.is_floating_point():
        return bool((prefix == same).float().mean() > 0.5)
    return bool((prefix - same).float().abs().mean() < 0.1 * codes.float().std())


def _broken(folder: Path, expected: str, got: str, remedy: str) -> BadCheckpoint:
    return BadCheckpoint(f"Cosmos tokenizer in {folder}", expected=expected, got=got, remedy=remedy)
