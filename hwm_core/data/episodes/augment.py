"""Augmentation of batches of windows, so that a network cannot recognise the episode and ignore the actions."""

import torch
from pydantic import Field
from torch import Generator, Tensor

from hwm_core.config import Config
from hwm_core.rng.batch_rows import integers, normal, uniform


class Augmentation(Config):
    """Strengths of the augmentations; 0 turns one off. All frames of a window share one draw: the motion stays."""

    shift: int = Field(default=4, ge=0, description="largest shift in either direction, pixels; edges repeat")
    colour: float = Field(
        default=0.1, ge=0, lt=1, description="largest relative change of contrast, brightness and colour"
    )
    action_noise: float = Field(default=0.05, ge=0, description="standard deviation, in normalised units")
    joint_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="probability that a joint is set to its mean in a window"
    )

    def frames(self, frames: Tensor, generator: Generator) -> Tensor:
        """Shift and recolour float frames [B, F, 3, H, W] in [0, 1]. The generator is on the device of the frames."""
        return self._recolour(self._move(frames, generator), generator)

    def actions(self, actions: Tensor, generator: Generator) -> Tensor:
        """Add noise to normalised actions [B, F, A], and set dropped joints to their mean, 0, for a whole window."""
        noise = normal(actions.shape, generator)
        kept = uniform((len(actions), 1, actions.shape[2]), generator) >= self.joint_dropout
        return (actions + self.action_noise * noise) * kept

    def _move(self, frames: Tensor, generator: Generator) -> Tensor:
        if self.shift == 0:
            return frames
        batch, _, _, height, width = frames.shape
        offsets = integers(-self.shift, self.shift + 1, (batch, 2, 1), generator)
        rows = (torch.arange(height, device=frames.device) + offsets[:, 0]).clamp(0, height - 1)  # [B, H]
        columns = (torch.arange(width, device=frames.device) + offsets[:, 1]).clamp(0, width - 1)  # [B, W]
        windows = torch.arange(batch, device=frames.device)[:, None, None]
        # Indexing with [B, H, W] index triples gives [B, H, W, F, 3].
        return frames.permute(0, 3, 4, 1, 2)[windows, rows[:, :, None], columns[:, None, :]].permute(0, 3, 4, 1, 2)

    def _recolour(self, frames: Tensor, generator: Generator) -> Tensor:
        if self.colour == 0:
            return frames

        def draw(channels: int) -> Tensor:  # uniform in [-colour, colour], one draw per window
            return self.colour * (2 * uniform((len(frames), 1, channels, 1, 1), generator) - 1)

        mean = frames.mean(dim=(1, 2, 3, 4), keepdim=True)
        return ((frames - mean) * (1 + draw(1)) + mean * (1 + draw(1)) * (1 + draw(3))).clamp(0, 1)
