"""The trainable discrete tokenizer: a causal autoencoder whose latents are quantised (FSQ)."""

from typing import Literal

import torch
from pydantic import field_validator
from torch import Tensor

from hwm_core.tokenizers import fsq
from hwm_core.tokenizers.autoencoder import CausalAutoencoder, CausalConfig


class CausalTokenizerConfig(CausalConfig):
    """Configuration of a discrete tokenizer."""

    kind: Literal["causal"] = "causal"
    levels: tuple[int, ...] = (8, 8, 8, 5, 5, 5)

    @field_validator("levels")
    @classmethod
    def _check_levels(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if not levels or min(levels) < 2:
            raise ValueError("`levels` to hold one or more numbers, each at least 2")
        return levels


class CausalVideoTokenizer(CausalAutoencoder):
    """Video <-> FSQ codes."""

    kind = "causal"
    codes = "discrete"

    def __init__(self, config: CausalTokenizerConfig) -> None:
        super().__init__(config, latent_channels=len(config.levels), encoded_channels=len(config.levels))
        self.levels = config.levels

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> tokens int64 [B, T, h, w]."""
        bounded = torch.tanh(self.encoded(frames).float())
        return fsq.digits_to_codes(fsq.latents_to_digits(bounded, self.levels), self.levels)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        return self.decode_latents(self.embed(codes))

    def embed(self, codes: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> latents float [B, T, h, w, C] in [-1, 1]."""
        return fsq.digits_to_latents(fsq.codes_to_digits(codes, self.levels), self.levels)

    def loss(self, frames: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction loss of frames [B, F, 3, H, W] in [0, 1], and its parts; nothing is random."""
        return self.reconstruction_loss(fsq.quantise(self.encoded(frames), self.levels), frames)
