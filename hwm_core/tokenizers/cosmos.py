"""NVIDIA's Cosmos video tokenizers, discrete and continuous, from downloaded files."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.config import Config
from hwm_core.tokenizers import cosmos_files, fsq
from hwm_core.tokenizers.base import VideoTokenizer
from hwm_core.tokenizers.cosmos_models import COSMOS_MODELS, LEVELS, codes_of, identify, reproducible
from hwm_core.tokenizers.geometry import check_clip

Precision = Literal["bfloat16", "float32"]


class CosmosTokenizerConfig(Config):
    """Identity of the files, and statistics measured with them; the files themselves are never copied."""

    kind: Literal["cosmos"] = "cosmos"
    name: str = Field(description="a key of COSMOS_MODELS, as DV8x8x8")
    sha256: dict[str, str] = Field(description="of each file")
    dtype: Precision = "bfloat16"
    latent_mean: tuple[float, ...] = Field(default=(), description="mean of each channel of continuous latents")
    latent_std: tuple[float, ...] = Field(default=(), description="standard deviation of each channel")

    @field_validator("name")
    @classmethod
    def _is_published(cls, name: str) -> str:
        if name not in COSMOS_MODELS:
            raise ValueError(" or ".join(COSMOS_MODELS))
        return name


class CosmosVideoTokenizer(VideoTokenizer):
    """A VideoTokenizer over encoder.jit and decoder.jit of one Cosmos model, frozen.

    At most `max_frames` frames (at least one clip) are computed at once: this changes the memory, not the result.
    A discrete decoder takes only codes: latents between codes are rounded to the nearest code.
    """

    config: CosmosTokenizerConfig
    folder: Path
    kind = "cosmos"

    def __init__(
        self,
        config: CosmosTokenizerConfig,
        folder: str | Path,
        device: torch.device | str = "cpu",
        codec: cosmos_files.Codec | None = None,
    ) -> None:
        """Open the files in `folder`, unless `codec` has them open and checked already.

        Raises:
            BadCheckpoint: a file is absent, differs from the file in `config`, or cannot be opened.
        """
        super().__init__()
        self.config, self.folder, self.max_frames = config, Path(folder).resolve(), 136  # 8 clips of 17
        self.temporal_factor, self.spatial_factor, self.codes, self.latent_channels = COSMOS_MODELS[config.name]
        if self.codes == "discrete":
            self.levels = LEVELS
        if codec is None:
            cosmos_files.check_sums(self.folder, config.sha256, config.name)
            codec = cosmos_files.open_files(self.folder, device, config.dtype)
        self.codec = codec
        self._dtype: torch.dtype = getattr(torch, config.dtype)

    @classmethod
    def open(
        cls, folder: str | Path, device: torch.device | str = "cpu", dtype: Precision = "bfloat16"
    ) -> "CosmosVideoTokenizer":
        """Open a downloaded folder of any Cosmos model. Raises BadCheckpoint as `identify` does."""
        folder = Path(folder)
        sums = cosmos_files.sums(folder)
        codec = cosmos_files.open_files(folder, device, dtype)
        name = identify(codec, folder, torch.device(device), getattr(torch, dtype))
        return cls(CosmosTokenizerConfig(name=name, sha256=sums, dtype=dtype), folder, device, codec)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> tokens int64 [B, T, h, w], or latents float32 [B, T, h, w, C]."""
        check_clip(frames, self.temporal_factor, self.spatial_factor)
        codes = torch.cat([self._encode(part) for part in frames.split(self._clips(frames.shape[1]))])
        return codes if self.codes == "discrete" else self._normalised(codes)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        given = codes.int() if self.codes == "discrete" else self._raw(codes)
        clips = self._clips(num_frames(codes.shape[1], self.temporal_factor))
        return torch.cat([self._decode(part) for part in given.split(clips)])

    def embed(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> latents float [B, T, h, w, C]; tokens become latents in [-1, 1] as in `fsq`."""
        if self.codes == "continuous":
            return codes
        return fsq.digits_to_latents(fsq.codes_to_digits(codes, LEVELS), LEVELS)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C] -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        if self.codes == "discrete":
            latents = fsq.digits_to_codes(fsq.latents_to_digits(latents, LEVELS), LEVELS)
        return self.decode(latents)

    @property
    def codes_sha256(self) -> str:
        """Of the files, the arithmetic and the statistics."""
        return hashlib.sha256(json.dumps(self.config.plain(), sort_keys=True).encode()).hexdigest()

    @property
    def needs_statistics(self) -> bool:
        """Whether the latents are not normalised yet."""
        return self.codes == "continuous" and not self.config.latent_std

    def fit_statistics(self, clips: Iterable[Tensor]) -> None:
        """Measure mean and standard deviation of each channel over clips of frames [B, F, 3, H, W]."""
        self.config = self.config.model_copy(update={"latent_mean": (), "latent_std": ()})
        latents = torch.cat([self.encode(frames).flatten(0, -2) for frames in clips])
        statistics = {"latent_mean": latents.mean(0), "latent_std": latents.std(0).clamp_min(1e-6)}
        self.config = self.config.model_copy(
            update={name: tuple(values.tolist()) for name, values in statistics.items()}
        )

    def _encode(self, frames: Tensor) -> Tensor:
        signed = (2.0 * frames.float() - 1.0).transpose(1, 2).to(self._dtype)
        with reproducible(frames.device):
            codes = codes_of(self.codec.encode(signed))
        return codes.long() if self.codes == "discrete" else codes.float().movedim(1, -1)

    def _decode(self, codes: Tensor) -> Tensor:
        with reproducible(codes.device):
            signed = self.codec.decode(codes)
        return (0.5 + 0.5 * signed.float()).clamp(0.0, 1.0).transpose(1, 2)

    def _clips(self, frames: int) -> int:
        return max(1, self.max_frames // frames)

    def _normalised(self, latents: Tensor) -> Tensor:
        if self.needs_statistics:
            return latents
        return (latents - latents.new_tensor(self.config.latent_mean)) / latents.new_tensor(self.config.latent_std)

    def _raw(self, latents: Tensor) -> Tensor:
        """Latents at the scale and shape of the decoder: [B, C, T, h, w]."""
        latents = latents.float()
        if not self.needs_statistics:
            mean, std = latents.new_tensor(self.config.latent_mean), latents.new_tensor(self.config.latent_std)
            latents = latents * std + mean
        return latents.movedim(-1, 1).to(self._dtype)
