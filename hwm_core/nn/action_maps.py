"""Actions as images: points that move with the joints, drawn on the grid of a latent.

The place of a hand in the image is a smooth function of the joints. A small network learns such functions, one for each
point, and draws each point as a Gaussian. Convolutions then see where a moving part is, will be, and has been.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDTH = 0.15  # first standard deviation of a point, where the image reaches from -1 to 1
_HIDDEN = 128


class ActionMaps(nn.Module):
    """Maps of actions, `channels` for each latent: the newest past, its last frame, its mean, all frames up to it."""

    def __init__(self, action_dim: int, points: int, grid: tuple[int, int], temporal_factor: int) -> None:
        super().__init__()
        self.points, self.temporal_factor, self.channels = points, temporal_factor, 4 * points
        self.locate = nn.Sequential(
            nn.Linear(action_dim, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, 3 * points),
        )
        self.log_width = nn.Parameter(torch.full((points,), math.log(_WIDTH)))
        for name, size in zip(("rows", "columns"), grid, strict=True):
            self.register_buffer(name, (torch.arange(size) + 0.5) / size * 2 - 1, persistent=False)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return (self.locate,)

    def reset_parameters(self) -> None:
        """Start with points all over the image, which move with the actions."""
        last = self.locate[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.5 / math.sqrt(_HIDDEN))
        nn.init.uniform_(last.bias, -0.7, 0.7)

    def forward(self, actions: Tensor, newest: Tensor, latents: tuple[int, ...]) -> Tensor:
        """Maps [B, T, channels, h, w] of T future latents.

        Args:
            actions: [B, F, A] normalised, of all future frames.
            newest: [B or 1, A], the action of the newest past frame.
            latents: indices of the T latents.
        """
        last = (max(latents) + 1) * self.temporal_factor
        frames = torch.cat([newest[:, None].expand(len(actions), -1, -1), actions[:, :last]], dim=1)
        drawn = self._draw(frames)  # [B, 1 + F, K, h, w]
        now, future = drawn[:, 0], drawn[:, 1:]
        maps = []
        for latent in latents:
            begin, end = latent * self.temporal_factor, (latent + 1) * self.temporal_factor
            own = future[:, begin:end]
            maps.append(torch.cat([now, own[:, -1], own.mean(dim=1), future[:, :end].amax(dim=1)], dim=1))
        return torch.stack(maps, dim=1)

    def _draw(self, actions: Tensor) -> Tensor:
        """One image [h, w] of each point of actions [..., A]."""
        x, y, strength = self.locate(actions).float().unflatten(-1, (3, self.points)).unbind(-2)
        width = self.log_width.exp()
        across = torch.exp(-0.5 * ((self.columns - x[..., None]) / width[:, None]).square())
        down = torch.exp(-0.5 * ((self.rows - y[..., None]) / width[:, None]).square())
        return (F.softplus(strength)[..., None] * down)[..., None] * across[..., None, :]
