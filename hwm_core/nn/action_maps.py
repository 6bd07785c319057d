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
        """Maps [B, T, channels, h, w] of T future latents, in the precision of products of matrices.

        Args:
            actions: [B, F, A] normalised, of all future frames.
            newest: [B or 1, A], the action of the newest past frame.
            latents: indices of the T latents.
        """
        places = self.places(actions[:, : (max(latents) + 1) * self.temporal_factor])
        # Frames of a latent last: its mean image is then a product of matrices [h, f] and [f, w] for each point.
        places = places.unflatten(2, (-1, self.temporal_factor)).movedim(3, -1).contiguous()  # [3, B, T, K, f]
        down, across = self.profiles(places, self.sharpness()[:, None])
        means = (down.mT / self.temporal_factor) @ across  # [B, T, K, h, w]
        now = self.draw(newest).to(means.dtype).expand(len(actions), -1, -1, -1)
        maps = []
        for latent in latents:
            last = (down[:, latent, :, -1, :, None] * across[:, latent, :, -1, None, :]).to(means.dtype)
            passed = 1 - torch.exp(-self.temporal_factor * means[:, : latent + 1].sum(dim=1))
            none = last.new_zeros(len(last), (self.num_latents - latent - 1) * self.points, *last.shape[2:])
            newest_first = means[:, : latent + 1].unbind(1)[::-1]
            maps.append(torch.cat([now, last, passed, *newest_first, none], dim=1))
        return maps[0][:, None] if len(maps) == 1 else torch.stack(maps, dim=1)
