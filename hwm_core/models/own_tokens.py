"""A model's own tokens in place of the true ones it reads, so that training resembles autoregression."""

import torch
from torch import Tensor

from hwm_core.rng.batch_rows import integers, uniform


def scheduled(inputs: Tensor, own: Tensor, first: int, max_rate: float, generator: torch.Generator) -> Tensor:
    """Replace each token of the latents from `first` on by the model's own, at rate u * max_rate.

    Each sample draws one u ~ U(0,1). Scheduled sampling in two passes (Mihaylova and Martins 2019).

    Args:
        inputs: true tokens [B, n, h, w, P] of latents 0 .. n - 1.
        own: the model's tokens [B, n, h, w, P] of latents 1 .. n.
    """
    rate = uniform((len(inputs), 1, 1, 1, 1), generator) * max_rate
    replaced = uniform(inputs.shape, generator) < rate
    replaced[:, :first] = False
    return torch.where(replaced, _aligned(own), inputs)


def one_own_latent(inputs: Tensor, own: Tensor, first: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Replace all tokens of one latent from `first` on, drawn for each sample, by the model's own.

    Arguments as for `scheduled`.

    Returns:
        The inputs, and the replaced latent [B] of each sample.
    """
    chosen = integers(first, inputs.shape[1], (len(inputs),), generator)
    replaced = torch.arange(inputs.shape[1], device=inputs.device) == chosen[:, None]
    return torch.where(replaced[..., None, None, None], _aligned(own), inputs), chosen


def _aligned(own: Tensor) -> Tensor:
    """Tokens of latents 1 .. n -> of latents 0 .. n - 1; those of latent 0 are never used."""
    return own.roll(1, dims=1)
