"""Drawn points of actions as input of convolutions, which see where a moving part is, will be, and has been."""

import torch
from torch import Tensor

from hwm_core.nn.action_points import ActionPoints


class ActionMaps(ActionPoints):
    """Maps of actions, `channels` for each latent: the newest past, its last frame, its mean, all frames up to it."""

    def __init__(self, action_dim: int, points: int, grid: tuple[int, int], temporal_factor: int) -> None:
        super().__init__(action_dim, points, grid)
        self.temporal_factor, self.channels = temporal_factor, 4 * points

    def forward(self, actions: Tensor, newest: Tensor, latents: tuple[int, ...]) -> Tensor:
        """Maps [B, T, channels, h, w] of T future latents.

        Args:
            actions: [B, F, A] normalised, of all future frames.
            newest: [B or 1, A], the action of the newest past frame.
            latents: indices of the T latents.
        """
        last = (max(latents) + 1) * self.temporal_factor
        frames = torch.cat([newest[:, None].expand(len(actions), -1, -1), actions[:, :last]], dim=1)
        drawn = self.draw(frames)  # [B, 1 + F, K, h, w]
        now, future = drawn[:, 0], drawn[:, 1:]
        maps = []
        for latent in latents:
            begin, end = latent * self.temporal_factor, (latent + 1) * self.temporal_factor
            own = future[:, begin:end]
            maps.append(torch.cat([now, own[:, -1], own.mean(dim=1), future[:, :end].amax(dim=1)], dim=1))
        return torch.stack(maps, dim=1)
