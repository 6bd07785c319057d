"""Points that move with the joints, drawn on the grid of a latent: actions as images.

The place of a hand in the image is a smooth function of the joints. A small network learns such functions, one for each
point, and draws each point as a Gaussian. The world model then sees where a moving part is and will be.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDTH = 0.15  # first standard deviation of a point, where the image reaches from -1 to 1
_HIDDEN = 128


class ActionPoints(nn.Module):
    """Draws `points` points for each action."""

    rows: Tensor
    columns: Tensor

    def __init__(self, action_dim: int, points: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.points = points
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

    def draw(self, actions: Tensor) -> Tensor:
        """Images [..., K, h, w] of the K points, float32, of actions [..., A] normalised."""
        down, across = self.profiles(actions)
        return down[..., None] * across[..., None, :]

    def profiles(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The images of `draw` as outer products of columns [..., K, h] and rows [..., K, w], float32."""
        x, y, strength = self.locate(actions).float().unflatten(-1, (3, self.points)).unbind(-2)
        width = self.log_width.exp()
        across = torch.exp(-0.5 * ((self.columns - x[..., None]) / width[:, None]).square())
        down = torch.exp(-0.5 * ((self.rows - y[..., None]) / width[:, None]).square())
        return F.softplus(strength)[..., None] * down, across
