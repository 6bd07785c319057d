"""Actions as a condition of AdaLN, added to the embedded time."""

import torch
from torch import Tensor, nn

_CHANGE_SCALE = 3.0  # the change of a normalised value within a latent is about a third of its standard deviation


class ActionModulation(nn.Module):
    """Embeds the actions of each future latent, and their change from the newest past action."""

    def __init__(self, action_dim: int, temporal_factor: int, dim: int) -> None:
        super().__init__()
        inputs = (2 * temporal_factor + 1) * action_dim
        self.embed = nn.Sequential(nn.Linear(inputs, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return (self.embed,)

    def forward(self, frames: Tensor, newest: Tensor) -> Tensor:
        """Condition [B, T, D] of each future latent.

        Args:
            frames: [B, T, temporal_factor, A] normalised, actions of the frames of each latent.
            newest: [B or 1, A], the action of the newest past frame.
        """
        change = _CHANGE_SCALE * (frames - newest[:, None, None])
        newest = newest[:, None].expand(*frames.shape[:2], -1)
        return self.embed(torch.cat([frames.flatten(2), change.flatten(2), newest], dim=-1))
