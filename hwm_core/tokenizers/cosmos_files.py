"""The TorchScript files of a Cosmos tokenizer: find them, check their sha256, open them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from hwm_core import pretrained
from hwm_core.errors import BadCheckpoint
from hwm_core.pretrained import file_sha256

ENCODER, DECODER, AUTOENCODER = "encoder.jit", "decoder.jit", "autoencoder.jit"


def is_cosmos_folder(folder: Path) -> bool:
    """Whether the folder holds any of the published files."""
    return any((folder / name).is_file() for name in (ENCODER, DECODER, AUTOENCODER))


def sums(folder: Path) -> dict[str, str]:
    """{file name: sha256} of the two files. Raises BadCheckpoint if one is missing."""
    return {name: file_sha256(_existing(folder / name)) for name in (ENCODER, DECODER)}


def check_sums(folder: Path, wanted: Mapping[str, str], name: str) -> None:
    """Raises BadCheckpoint if a file is absent or has another sha256 than in `wanted`."""
    remedy = "Give the folder of that download: as `tokenizer` when loading, or as a link `tokenizer` in the "
    pretrained.check_sums(folder, wanted, f"Cosmos {name}", remedy + "checkpoint's folder.")


class Codec(Protocol):
    """A frozen module with the encoder and the decoder of one Cosmos model."""

    def encode(self, frames: Tensor) -> Any:
        """[B, 3, F, H, W] in [-1, 1] -> (indices [B, T, h, w], ...) or (latents [B, 16, T, h, w], ...)."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Indices or latents -> [B, 3, F, H, W] in [-1, 1]."""
        ...


def open_files(folder: Path, device: torch.device | str, dtype: str) -> Codec:
    """Encoder and decoder as one module: `CausalVideoTokenizer` of the package cosmos-tokenizer if it is installed,
    otherwise `TorchScriptCodec`, which has the same methods.

    Raises:
        BadCheckpoint: a file is not TorchScript, or cannot be loaded on this device.
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
    return cast(Codec, codec.eval().requires_grad_(False))


class TorchScriptCodec(nn.Module):
    """The methods of `cosmos_tokenizer.video_lib.CausalVideoTokenizer`, without that package."""

    def __init__(self, checkpoint_enc: str, checkpoint_dec: str, device: str, dtype: str) -> None:
        super().__init__()
        # Loaded on the device directly: constants inside traced graphs follow map_location, but not a later `.to`.
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
        alone = (path.parent / AUTOENCODER).is_file()
        raise BadCheckpoint(
            str(path),
            expected="encoder.jit and decoder.jit of one Cosmos tokenizer",
            got=f"only {AUTOENCODER}, which gives no codes" if alone else "no such file",
            remedy="Give the folder that holds both files.",
        )
    return path
