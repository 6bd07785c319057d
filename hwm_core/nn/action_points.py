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
_FAR = 80.0  # exp(-80) is as good as 0; on a CPU, `exp` is forty times slower where its result underflows


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
        down, across = self.profiles(self.places(actions), self.sharpness())
        return down[..., None] * across[..., None, :]

    def places(self, actions: Tensor) -> Tensor:
        """x, y and strength [3, ..., K] of the points, float32, of actions [..., A] normalised."""
        return self.locate(actions).float().unflatten(-1, (3, self.points)).movedim(-2, 0)

    def sharpness(self) -> Tensor:
        """[K], of each point: its profile at a distance d is exp(-(sharpness * d)^2)."""
        return math.sqrt(0.5) * torch.exp(-self.log_width)

    def profiles(self, places: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
        """Columns [..., h] and rows [..., w], whose outer products are the images of points.

        Args:
            places: [3, ...] as from `places`.
            sharpness: [...], of each point.
        """
        x, y, strength = places

        def profile(cells: Tensor, place: Tensor) -> Tensor:
            squares = (cells * sharpness[..., None] - (place * sharpness)[..., None]).square()
            return torch.exp(-squares.clamp(max=_FAR))

        return F.softplus(strength)[..., None] * profile(self.rows, y), profile(self.columns, x)
