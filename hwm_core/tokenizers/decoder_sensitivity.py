"""What the channels of a latent are worth in pixels: some paint the picture, others hardly change it."""

import torch
from torch import Tensor

from hwm_core.rng.batch_rows import normal
from hwm_core.tokenizers.base import VideoTokenizer

_STEP = 0.3  # of the noise, in the unit of normalised latents: about what a world model is wrong by


@torch.no_grad()
def channel_sensitivity(tokenizer: VideoTokenizer, codes: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error of the frames that noise on one channel makes, relative to the mean over the channels.

    Where errors e of the latents are independent from channel to channel, sum(worth * e ** 2) is to first order
    proportional to the squared error of the decoded frames.

    Args:
        codes: [B, T, h, w, C], continuous.
        generator: draws the noise.

    Returns:
        float32 [C] of mean 1.
    """
    decoded = tokenizer.decode(codes)
    worth = []
    for channel in range(codes.shape[-1]):
        noisy = codes.clone()
        noisy[..., channel] += _STEP * normal(codes.shape[:-1], generator)
        worth.append((tokenizer.decode(noisy) - decoded).float().square().mean())
    return torch.stack(worth) / torch.stack(worth).mean()
