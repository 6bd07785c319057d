"""Wan 2.2's video VAE (`AutoencoderKLWan` of diffusers) from a local folder, as a continuous tokenizer."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.config import Config
from hwm_core.errors import BadCheckpoint
from hwm_core.pretrained import check_sums, import_extra, is_pretrained, open_network, read_settings, sums
from hwm_core.tokenizers.base import VideoTokenizer
from hwm_core.tokenizers.geometry import check_clip

_NETWORK = "AutoencoderKLWan"
_KEYS = ("temperal_downsample", "dim_mult", "z_dim", "latents_mean", "latents_std")  # `temperal`: their spelling
_FRAMES_PER_LATENT = 4  # fixed in the code of diffusers
_OTHER_VAE = (
    "Give the folder of that VAE: as `tokenizer` when loading, or as a link `tokenizer` in the checkpoint's folder."
)


class WanTokenizerConfig(Config):
    """Identity of the files, which are never copied."""

    kind: Literal["wan"] = "wan"
    sha256: dict[str, str] = Field(description="of each file")
    dtype: Literal["bfloat16", "float32"] = Field(default="float32", description="precision of weights and arithmetic")


class WanVideoTokenizer(VideoTokenizer):
    """A VideoTokenizer over a frozen VAE of Wan 2.2. Encoding returns the mean.

    Latents are normalised by the means and standard deviations in the folder's config.json. At most `max_frames` frames
    (at least one clip) are computed at once: this changes the memory, not the result.
    """

    config: WanTokenizerConfig
    folder: Path
    kind = "wan"
    codes = "continuous"
    max_frames = 84

    def __init__(self, config: WanTokenizerConfig, folder: str | Path, device: torch.device | str = "cpu") -> None:
        """Open the files in `folder`.

        Raises:
            BadCheckpoint: the folder lacks the files, or has files of another sha256.
            BadConfig: the extra is not installed.
        """
        super().__init__()
        self.config, self.folder = config, Path(folder)
        settings = read_settings(self.folder, _NETWORK, _KEYS, remedy=_OTHER_VAE)
        check_sums(self.folder, config.sha256, "the VAE of this model", _OTHER_VAE)
        self.temporal_factor = 2 ** sum(settings["temperal_downsample"])
        self.spatial_factor = (settings.get("patch_size") or 1) * 2 ** (len(settings["dim_mult"]) - 1)
        self.latent_channels = settings["z_dim"]
        self._require(settings)
        self._dtype: torch.dtype = getattr(torch, config.dtype)
        network = import_extra("diffusers.models.autoencoders.autoencoder_kl_wan").AutoencoderKLWan
        vae = open_network(network, self.folder, torch_dtype=self._dtype)
        self.vae = vae.to(device).eval().requires_grad_(False)
        for name in ("latents_mean", "latents_std"):
            self.register_buffer(name, torch.tensor(settings[name], device=device), persistent=False)

    latents_mean: Tensor  # [C]
    latents_std: Tensor  # [C]

    @classmethod
    def open(
        cls,
        folder: str | Path,
        device: torch.device | str = "cpu",
        dtype: Literal["bfloat16", "float32"] = "float32",
    ) -> "WanVideoTokenizer":
        """Open a folder, and record its sha256. Raises as the constructor."""
        read_settings(Path(folder), _NETWORK)
        return cls(WanTokenizerConfig(sha256=sums(Path(folder)), dtype=dtype), folder, device)

    @property
    def codes_sha256(self) -> str:
        """Of the files and of the arithmetic."""
        return hashlib.sha256(json.dumps(self.config.plain(), sort_keys=True).encode()).hexdigest()

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> latents float32 [B, T, h, w, C], normalised."""
        check_clip(frames, self.temporal_factor, self.spatial_factor)
        latents = torch.cat([self._encode(part) for part in frames.split(self._clips(frames.shape[1]))])
        return (latents - self.latents_mean) / self.latents_std

    def decode(self, codes: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C], normalised -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        latents = codes.float() * self.latents_std + self.latents_mean
        clips = self._clips(num_frames(codes.shape[1], self.temporal_factor))
        return torch.cat([self._decode(part) for part in latents.split(clips)])

    def embed(self, codes: Tensor) -> Tensor:
        """The latents themselves: codes are latents."""
        return codes

    def decode_latents(self, latents: Tensor) -> Tensor:
        """As `decode`."""
        return self.decode(latents)

    def _encode(self, frames: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):
            signed = (2.0 * frames.float() - 1.0).transpose(1, 2).to(self._dtype)
            return self.vae.encode(signed).latent_dist.mode().float().movedim(1, -1)

    def _decode(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            signed = self.vae.decode(latents.movedim(-1, 1).to(self._dtype)).sample
            return (0.5 + 0.5 * signed.float()).clamp(0.0, 1.0).transpose(1, 2)

    def _clips(self, frames: int) -> int:
        return max(1, self.max_frames // frames)

    def _require(self, settings: dict[str, Any]) -> None:
        """Raises BadCheckpoint for a VAE whose geometry diffusers cannot compute."""
        lengths = {len(settings[name]) for name in ("latents_mean", "latents_std")}
        if self.temporal_factor != _FRAMES_PER_LATENT or lengths != {self.latent_channels}:
            raise BadCheckpoint(
                str(self.folder),
                expected=f"{_FRAMES_PER_LATENT} frames per latent, and a mean and a standard deviation per channel",
                got=f"{self.temporal_factor} frames per latent, {sorted(lengths)} values for {self.latent_channels} "
                "channels",
                remedy="Use the folder `vae` of Wan2.2-TI2V-5B.",
            )


def is_wan_folder(folder: Path) -> bool:
    """Whether the folder holds a VAE of Wan in the format of diffusers."""
    return is_pretrained(folder, _NETWORK)
