"""How strongly each channel of a latent changes the decoded pixels."""

import torch
from torch import Tensor

from hwm_core.rng.batch_rows import normal
from hwm_core.tokenizers.base import VideoTokenizer

_NOISE = 0.3  # standard deviation in units of normalised latents: about the error of a world model


@torch.no_grad()
def channel_sensitivity(tokenizer: VideoTokenizer, codes: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error of the decoded frames when one channel is noisy, relative to the mean over the channels.

    If the errors e of the latents are independent between channels, sum(sensitivity * e ** 2) is to first order
    proportional to the squared error of the decoded frames.

    Args:
        codes: [B, T, h, w, C], continuous.
        generator: draws the noise.

    Returns:
        float32 [C] of mean 1.
    """
    decoded = tokenizer.decode(codes)
    errors = []
    for channel in range(codes.shape[-1]):
        noisy = codes.clone()
        noisy[..., channel] += _NOISE * normal(codes.shape[:-1], generator)
        errors.append((tokenizer.decode(noisy) - decoded).float().square().mean())
    return torch.stack(errors) / torch.stack(errors).mean()
