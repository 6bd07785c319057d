"""Drawn points of actions as a part of video tokens, so that each site knows which moving part is over it."""

import torch
from einops import rearrange
from torch import Tensor, nn

from hwm_core.nn.action_points import ActionPoints
from hwm_core.nn.latent_frames import last_of_latents, mean_of_latents


class ActionTokens(ActionPoints):
    """A vector for each site of a latent, from its own actions only: the points of its last frame, and their mean.

    Nothing of another latent is added, so keys and values of the past stay exact (`nn.reachability`).
    """

    def __init__(
        self, *, action_dim: int, points: int, grid: tuple[int, int], patch: int, temporal_factor: int, dim: int
    ) -> None:
        super().__init__(action_dim, points, grid)
        self.patch, self.temporal_factor = patch, temporal_factor
        self.project = nn.Linear(2 * points * patch**2, dim, bias=False)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return self.locate, self.project

    def forward(self, actions: Tensor, first_latent: int = 0) -> Tensor:
        """Vectors [B, T, N, D] for the N sites of T latents, row by row.

        Args:
            actions: [B, F, A] normalised; the frames of latents `first_latent`, `first_latent` + 1, ...
            first_latent: latent 0 has one frame, each other one `temporal_factor`.
        """
        drawn = self.draw(actions)  # [B, F, K, H, W]
        own = [of(drawn, first_latent, self.temporal_factor) for of in (last_of_latents, mean_of_latents)]
        maps = torch.cat(own, dim=2)
        return self.project(rearrange(maps, "b t k (h p) (w q) -> b t (h w) (p q k)", p=self.patch, q=self.patch))
