"""A trainable continuous video tokenizer, with the layers of the discrete one."""

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.rng.batch_rows import normal
from hwm_core.tokenizers.autoencoder import CausalAutoencoder, CausalConfig


class ContinuousTokenizerConfig(CausalConfig):
    """Configuration of a continuous tokenizer."""

    kind: Literal["continuous"] = "continuous"
    latent_channels: int = Field(default=16, ge=1)
    kl_weight: float = Field(
        default=1e-4,
        ge=0,
        description="weight of the KL divergence in nats per latent value; 0: a deterministic autoencoder",
    )


class ContinuousVideoTokenizer(CausalAutoencoder):
    """Video <-> normalised latents.

    Trained as a variational autoencoder (VAE, Kingma & Welling 2014) or, with `kl_weight` 0, as a plain autoencoder.
    Encoding returns the mean. `fit_statistics` measures mean and standard deviation of each channel. They normalise the
    codes, and are saved with the weights.
    """

    kind = "continuous"
    codes = "continuous"
    latent_mean: Tensor  # [C]
    latent_std: Tensor  # [C]

    def __init__(self, config: ContinuousTokenizerConfig) -> None:
        channels = config.latent_channels
        encoded = 2 * channels if config.kl_weight else channels  # mean and log-variance, or the latent itself
        super().__init__(config, latent_channels=channels, encoded_channels=encoded)
        self.kl_weight = config.kl_weight
        self.register_buffer("latent_mean", torch.zeros(channels))
        self.register_buffer("latent_std", torch.ones(channels))

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> latents float32 [B, T, h, w, C], normalised."""
        return self._normalised(self._mean(frames))

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C], normalised -> frames float32 [B, F, 3, H, W] in [0, 1]."""
        return self.decode_latents(codes)

    def embed(self, codes: Tensor) -> Tensor:
        """The latents themselves: codes are latents."""
        return codes

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Normalised latents [B, T, h, w, C] -> frames float32 [B, F, 3, H, W], not clamped."""
        return super().reconstruct(latents * self.latent_std + self.latent_mean)

    def loss(self, frames: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction loss of frames [B, F, 3, H, W] in [0, 1], with the weighted KL divergence, and its parts."""
        encoded = self.encoded(frames).float()
        if not self.kl_weight:
            return self.reconstruction_loss(self._normalised(encoded), frames)
        mean, log_variance = encoded.chunk(2, dim=-1)
        log_variance = log_variance.clamp(-20.0, 10.0)
        noise = torch.randn_like(mean) if generator is None else normal(mean.shape, generator)
        sampled = mean + noise * (0.5 * log_variance).exp()
        loss, parts = self.reconstruction_loss(self._normalised(sampled), frames)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        return loss + self.kl_weight * kl, {**parts, "kl": kl.detach()}

    @torch.no_grad()
    def fit_statistics(self, clips: Iterable[Tensor]) -> None:
        """Measure mean and standard deviation of each channel over clips of frames [B, F, 3, H, W]."""
        latents = torch.cat([self._mean(frames).flatten(0, -2) for frames in clips])
        self.latent_mean.copy_(latents.mean(0))
        self.latent_std.copy_(latents.std(0).clamp_min(1e-6))

    def _mean(self, frames: Tensor) -> Tensor:
        return self.encoded(frames).float()[..., : self.latent_channels]

    def _normalised(self, latents: Tensor) -> Tensor:
        return (latents - self.latent_mean) / self.latent_std
