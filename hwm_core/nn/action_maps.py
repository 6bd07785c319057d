"""Drawn points of actions as input of convolutions, which see where a moving part is, will be, and has been."""

import torch
from torch import Tensor

from hwm_core.nn.action_points import ActionPoints


class ActionMaps(ActionPoints):
    """Maps of actions as further channels of a future latent.

    For each point: in the newest past frame; in the latent's last frame; everywhere it passes until then; and the mean
    of the latent, of the one before, and so on (zero before the first), which tells in which order and direction it
    passes.
    """

    def __init__(
        self, *, action_dim: int, points: int, grid: tuple[int, int], temporal_factor: int, num_latents: int
    ) -> None:
        super().__init__(action_dim, points, grid)
        self.temporal_factor, self.num_latents = temporal_factor, num_latents
        self.channels = (3 + num_latents) * points

    def forward(self, actions: Tensor, newest: Tensor, latents: tuple[int, ...]) -> Tensor:
        """Maps [B, T, channels, h, w] of T future latents.

        Args:
            actions: [B, F, A] normalised, of all future frames.
            newest: [B or 1, A], the action of the newest past frame.
            latents: indices of the T latents.
        """
        now = self.draw(newest).expand(len(actions), -1, -1, -1)
        down, across = self.profiles(actions[:, : (max(latents) + 1) * self.temporal_factor])
        sums = torch.einsum(  # one product of matrices for each latent and point; images of all frames would be large
            "btfkh, btfkw -> btkhw",
            down.unflatten(1, (-1, self.temporal_factor)),
            across.unflatten(1, (-1, self.temporal_factor)),
        )
        maps = []
        for latent in latents:
            end = (latent + 1) * self.temporal_factor - 1
            last = down[:, end, :, :, None] * across[:, end, :, None, :]
            passed = 1 - torch.exp(-sums[:, : latent + 1].sum(dim=1))
            means = (sums[:, : latent + 1].flip(1) / self.temporal_factor).flatten(1, 2)
            none = means.new_zeros(len(means), (self.num_latents - latent - 1) * self.points, *means.shape[2:])
            maps.append(torch.cat([now, last, passed, means, none], dim=1))
        return torch.stack(maps, dim=1)
