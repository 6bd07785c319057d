"""A tokenizer for tests: without weights, and lossless on frames of patches of quantised colours."""

from typing import Literal

import torch
from einops import reduce
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config
from hwm_core.tokenizers import fsq
from hwm_core.tokenizers.base import VideoTokenizer
from hwm_core.tokenizers.geometry import fold, unfold


class PatchTokenizerConfig(Config):
    """Configuration of a patch tokenizer."""

    kind: Literal["patch"] = "patch"
    temporal_factor: int = Field(default=1, ge=1)
    spatial_factor: int = Field(default=4, ge=1)
    colours: int = Field(
        default=4, ge=2, description="values of a colour channel; there are colours ** (3 * temporal_factor) codes"
    )


class PatchTokenizer(VideoTokenizer):
    """A code holds the mean colours of its patch in each frame of its group: one digit per frame and channel.

    Not for results: real images become mosaics.
    """

    kind = "patch"
    codes = "discrete"

    def __init__(self, config: PatchTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.temporal_factor = config.temporal_factor
        self.spatial_factor = config.spatial_factor
        self.levels = (config.colours,) * (3 * config.temporal_factor)
        self.latent_channels = len(self.levels)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> tokens int64 [B, T, h, w]."""
        first, groups = fold(frames, self.temporal_factor, self.spatial_factor)
        sites = torch.cat([first.repeat(1, 1, self.temporal_factor, 1, 1), groups], dim=1)
        means = reduce(sites, "b t (c p) h w -> b t h w c", "mean", p=self.spatial_factor**2)
        return fsq.digits_to_codes(fsq.latents_to_digits(2.0 * means - 1.0, self.levels), self.levels)

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        return self.decode_latents(self.embed(tokens))

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> latents float [B, T, h, w, C] in [-1, 1]."""
        return fsq.digits_to_latents(fsq.codes_to_digits(tokens, self.levels), self.levels)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C] in [-1, 1] -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        colours = (0.5 + 0.5 * latents.float()).clamp(0.0, 1.0).movedim(-1, 2)
        sites = colours.repeat_interleave(self.spatial_factor**2, dim=2)
        first = sites[
            :, :1, : 3 * self.spatial_factor**2
        ]  # the first latent repeats its frame for each frame of a group
        return unfold(first, sites[:, 1:], self.temporal_factor, self.spatial_factor)
