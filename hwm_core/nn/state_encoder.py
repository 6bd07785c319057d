"""Robot states to the modulation of a diffusion transformer, one vector for each latent."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StateEncoder(nn.Module):
    """Sinusoidal features, an MLP, strided convolutions over time, and a projection that starts at zero.

    Frames are compressed as in the video VAE: the first alone, then groups of `temporal_factor`. Each convolution has
    kernel 3 and stride 2 and sees no later frame: 1 + 4k frames -> 1 + 2k -> 1 + k. So latent i reads the states of
    frames 4i - 6 to 4i (at a factor of 4), and earlier frames repeat the first one (arXiv 2510.07092, section 2.1).

    Parameters, with A states of which C are continuous, f frequencies, width r, n convolutions, and K outputs::

        (A + 2 f C) r + r  +  r^2 + r  +  n (3 r^2 + r)  +  r K + K
    """

    frequencies: Tensor  # [f]
    continuous: Tensor  # [C] indices

    def __init__(
        self,
        state_dim: int,
        out: int,
        *,
        temporal_factor: int,
        width: int = 256,
        frequencies: int = 4,
        plain: Sequence[int] = (),
    ) -> None:
        """Build the layers.

        Args:
            state_dim: A, the number of states.
            out: K, the numbers of the modulation of one latent.
            temporal_factor: frames of a latent, a power of 2.
            width: of all hidden layers.
            frequencies: f; the features of a continuous state x are sin(2^i x) and cos(2^i x) for i < f.
            plain: indices of states without such features.
        """
        super().__init__()
        continuous = [index for index in range(state_dim) if index not in set(plain)]
        self.register_buffer("frequencies", 2.0 ** torch.arange(frequencies), persistent=False)
        self.register_buffer("continuous", torch.tensor(continuous, dtype=torch.long), persistent=False)
        features = state_dim + 2 * frequencies * len(continuous)
        self.embed = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))
        self.compress = nn.ModuleList(
            nn.Conv1d(width, width, 3, stride=2) for _ in range(round(math.log2(temporal_factor)))
        )
        self.modulation = nn.Linear(width, out)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return self.embed, self.modulation

    def forward(self, states: Tensor) -> Tensor:
        """States [B, 1 + k * temporal_factor, A], normalised -> modulation [B, 1 + k, K]."""
        angles = (states[..., self.continuous, None] * self.frequencies).flatten(-2)
        x = self.embed(torch.cat([states, angles.sin(), angles.cos()], dim=-1)).transpose(1, 2)
        for convolution in self.compress:
            x = convolution(F.pad(F.silu(x), (2, 0), mode="replicate"))
        return self.modulation(F.silu(x.transpose(1, 2)))
