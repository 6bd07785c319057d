"""Actions of frames, as one token for each latent from which the next latent is predicted (arXiv 2510.07092, 3.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.clips import num_frames
from hwm_core.nn.latent_frames import mean_of_latents


class NextActionEncoder(nn.Module):
    """Linear, learned position of the frame, GELU, linear, mean over the frames of a latent, Conv1d of kernel 3.

    The convolution runs over latents. At latent i it reads the actions of latents i - 1, i and i + 1. Latent i is where
    latent i + 1 is predicted, so a prediction depends on the actions of its own latent and of earlier ones, and on no
    later action. Before the first latent there are zeros.

    The position of the frame is added before the non-linearity. Added after it, mean and convolution would hide the
    order of the actions within a latent.
    """

    def __init__(self, action_dim: int, num_latents: int, temporal_factor: int, dim: int) -> None:
        super().__init__()
        self.temporal_factor = temporal_factor
        self.project = nn.Linear(action_dim, dim)
        self.position = nn.Parameter(torch.empty(num_frames(num_latents, temporal_factor), dim))
        self.encode = nn.Sequential(nn.GELU(), nn.Linear(dim, dim))
        self.convolve = nn.Conv1d(dim, dim, kernel_size=3)

    def reset_parameters(self, std: float) -> None:
        """Draw the positions from N(0, std)."""
        nn.init.normal_(self.position, std=std)

    def forward(self, actions: Tensor) -> Tensor:
        """Actions [B, F, A], normalised, of the first T latents -> tokens [B, T - 1, 1, D], none for the last."""
        encoded = self.encode(self.project(actions) + self.position[: actions.shape[1]])
        latents = mean_of_latents(encoded, 0, self.temporal_factor).transpose(1, 2)
        return self.convolve(F.pad(latents, (1, 0))).transpose(1, 2)[:, :, None]
