"""Augmentation of batches of windows, so that a network cannot recognise the episode and ignore the actions."""

import torch
from pydantic import Field
from torch import Generator, Tensor

from hwm_core.config import Config
from hwm_core.rng.batch_rows import integers, normal, uniform


class Augmentation(Config):
    """Strengths; zero turns one off. All of a window's frames share one draw, so motion stays what it was."""

    shift: int = Field(default=4, ge=0, description="pixels, largest in either direction; edges repeat")
    colour: float = Field(default=0.1, ge=0, lt=1, description="largest relative change of light and colour")
    action_noise: float = Field(default=0.05, ge=0, description="standard deviation, in normalised units")
    joint_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="probability that a joint of a window is silenced"
    )

    def frames(self, frames: Tensor, generator: Generator) -> Tensor:
        """Shift and recolour float frames [B, F, 3, H, W] in [0, 1]. The generator is of the frames' device."""
        return self._recolour(self._move(frames, generator), generator)

    def actions(self, actions: Tensor, generator: Generator) -> Tensor:
        """Disturb normalised actions [B, F, A]: noise, and joints silenced (at their mean, 0) for a whole window."""
        noise = normal(actions.shape, generator)
        heard = uniform((len(actions), 1, actions.shape[2]), generator) >= self.joint_dropout
        return (actions + self.action_noise * noise) * heard

    def _move(self, frames: Tensor, generator: Generator) -> Tensor:
        if self.shift == 0:
            return frames
        batch, _, _, height, width = frames.shape
        offsets = integers(-self.shift, self.shift + 1, (batch, 2, 1), generator)
        rows = (torch.arange(height, device=frames.device) + offsets[:, 0]).clamp(0, height - 1)  # [B, H]
        columns = (torch.arange(width, device=frames.device) + offsets[:, 1]).clamp(0, width - 1)  # [B, W]
        windows = torch.arange(batch, device=frames.device)[:, None, None]
        # [B, H, W] index triples pick [B, H, W, F, 3].
        return frames.permute(0, 3, 4, 1, 2)[windows, rows[:, :, None], columns[:, None, :]].permute(0, 3, 4, 1, 2)

    def _recolour(self, frames: Tensor, generator: Generator) -> Tensor:
        if self.colour == 0:
            return frames

        def draw(channels: int) -> Tensor:  # uniform in [-colour, colour], one per window
            return self.colour * (2 * uniform((len(frames), 1, channels, 1, 1), generator) - 1)

        mean = frames.mean(dim=(1, 2, 3, 4), keepdim=True)
        return ((frames - mean) * (1 + draw(1)) + mean * (1 + draw(1)) * (1 + draw(3))).clamp(0, 1)
