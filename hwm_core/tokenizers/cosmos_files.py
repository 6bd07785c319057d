"""The TorchScript files of a Cosmos tokenizer: found, checked against their sums, opened."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from hwm_core.errors import BadCheckpoint

ENCODER, DECODER, WHOLE = "encoder.jit", "decoder.jit", "autoencoder.jit"


def is_cosmos_folder(folder: Path) -> bool:
    """Whether any of the published files lies there."""
    return any((folder / name).is_file() for name in (ENCODER, DECODER, WHOLE))


def sums(folder: Path) -> dict[str, str]:
    """{file name: sha256} of the two files. Raises BadCheckpoint where one is missing."""
    return {name: _sha256(_existing(folder / name)) for name in (ENCODER, DECODER)}


def check_sums(folder: Path, wanted: Mapping[str, str], name: str) -> None:
    """Raises BadCheckpoint, naming the sha256 wanted, when a file of `wanted` is absent or another one."""
    for file, digest in wanted.items():
        path = folder / file
        got = f"sha256 {_sha256(path)}" if path.is_file() else "no such file"
        if got != f"sha256 {digest}":
            raise BadCheckpoint(
                str(path),
                expected=f"{file} of Cosmos {name}, sha256 {digest}",
                got=got,
                remedy="Give the folder of that download: as `tokenizer` when loading, or as a link `tokenizer` in the "
                "checkpoint's folder.",
            )


def open_files(folder: Path, device: torch.device | str, dtype: str) -> nn.Module:
    """Encoder and decoder, with the methods of `CausalVideoTokenizer` of the package cosmos-tokenizer: that class where
    the package is installed, or else `TorchScriptCodec`.

    Raises:
        BadCheckpoint: a file is no TorchScript, or cannot be put on this device.
    """
    _existing(folder / ENCODER), _existing(folder / DECODER)
    try:
        codec = _codec()(
            checkpoint_enc=str(folder / ENCODER),
            checkpoint_dec=str(folder / DECODER),
            device=str(device),
            dtype=dtype,
        )
    except RuntimeError as error:
        raise BadCheckpoint(
            str(folder),
            expected="TorchScript in encoder.jit and decoder.jit",
            got=str(error).strip().splitlines()[0],
            remedy="Download the folder again; files of a few hundred bytes are git-lfs pointers.",
        ) from None
    return codec.eval().requires_grad_(False)


class TorchScriptCodec(nn.Module):
    """As `cosmos_tokenizer.video_lib.CausalVideoTokenizer`, of the two files alone."""

    def __init__(self, checkpoint_enc: str, checkpoint_dec: str, device: str, dtype: str) -> None:
        super().__init__()
        # On its device at once: constants inside traced graphs follow map_location, and no later `.to`.
        self.encoder = torch.jit.load(checkpoint_enc, map_location=device).to(getattr(torch, dtype))
        self.decoder = torch.jit.load(checkpoint_dec, map_location=device).to(getattr(torch, dtype))

    def encode(self, frames: Tensor) -> Any:
        """[B, 3, F, H, W] in [-1, 1] -> (indices [B, T, h, w], ...) or (latents [B, 16, T, h, w], ...)."""
        return self.encoder(frames)

    def decode(self, codes: Tensor) -> Tensor:
        """Indices or latents -> [B, 3, F, H, W] in [-1, 1]."""
        return self.decoder(codes)


def _codec() -> Callable[..., nn.Module]:
    try:
        from cosmos_tokenizer.video_lib import CausalVideoTokenizer
    except ImportError:
        return TorchScriptCodec
    return cast(Callable[..., nn.Module], CausalVideoTokenizer)


def _existing(path: Path) -> Path:
    if not path.is_file():
        alone = (path.parent / WHOLE).is_file()
        raise BadCheckpoint(
            str(path),
            expected="encoder.jit and decoder.jit of one Cosmos tokenizer",
            got=f"{WHOLE} alone, which rebuilds video and gives no codes" if alone else "no such file",
            remedy="Give the folder that holds both.",
        )
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
