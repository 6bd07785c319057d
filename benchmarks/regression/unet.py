"""A U-Net that predicts the frame at one horizon by regression on pixels: a baseline for the world models.

It has no latents and no samples. Its squared error makes it predict the mean of the possible frames.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.conv_path import NORM_GROUPS, ConvBlock

FOLD = 2  # pixels per cell along each side
_ACTION_POINTS = 8  # future actions that the network receives, evenly spread up to the predicted frame
_WIDTHS = (64, 96, 160)  # channels at 1/2, 1/4 and 1/8 of the frame size
_BLOCKS = 2  # per size, in the encoder and in the decoder
_CONDITION = 256  # channels of the condition


class RegressionUNet(nn.Module):
    """Predict the frame at a horizon, as a difference from the newest frame.

    Args:
        past: number of past frames.
        future: the largest horizon in frames.
        joints: A, the number of action dimensions.
    """

    def __init__(self, *, past: int, future: int, joints: int) -> None:
        super().__init__()
        self.past, self.future = past, future
        pixels = 3 * FOLD**2
        self.stem = nn.Conv2d(pixels * past, _WIDTHS[0], 3, padding=1)
        self.condition = nn.Sequential(
            nn.Linear(2 + joints * (1 + _ACTION_POINTS), _CONDITION),
            nn.SiLU(),
            nn.Linear(_CONDITION, _CONDITION),
            nn.SiLU(),
        )
        self.encoder, self.decoder = (nn.ModuleList(map(_blocks, _WIDTHS)) for _ in range(2))
        sizes = tuple(pairwise(_WIDTHS))
        self.downsample = nn.ModuleList(nn.Conv2d(width, wider, 2, stride=2) for width, wider in sizes)
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(wider, width, 2, stride=2) for width, wider in sizes)
        self.norm, self.head = nn.GroupNorm(NORM_GROUPS, _WIDTHS[0]), nn.Conv2d(_WIDTHS[0], pixels, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)  # the untrained network repeats the newest frame

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `hwm_core.train.optimiser`."""
        return self.stem, self.head

    def forward(self, past: Tensor, actions: Tensor, with_actions: Tensor, horizon: Tensor) -> Tensor:
        """Predict one frame for each window.

        Args:
            past: frames [B, past, 3, H, W] in [0, 1].
            actions: [B, past + future, A], normalised.
            with_actions: [B] 1, or 0 to drop the actions.
            horizon: int64 [B], frames ahead, 1 to `future`.

        Returns:
            Frames [B, 3, H, W]; the values may leave [0, 1].
        """
        cells = self.stem(F.pixel_unshuffle(2 * past.flatten(1, 2) - 1, FOLD))
        condition, skips = self.condition(self._condition_inputs(actions, with_actions, horizon)), []
        for level, blocks in enumerate(self.encoder):
            cells = _apply(blocks, cells, condition)
            if level < len(self.downsample):
                skips.append(cells)
                cells = self.downsample[level](cells)
        for level, blocks in reversed(list(enumerate(self.decoder))):
            cells = _apply(blocks, cells, condition)
            if level > 0:
                cells = self.upsample[level - 1](cells) + skips.pop()
        return past[:, -1] + F.pixel_shuffle(self.head(F.silu(self.norm(cells))), FOLD)

    def _condition_inputs(self, actions: Tensor, with_actions: Tensor, horizon: Tensor) -> Tensor:
        """[B, 2 + A (1 + points)]: flag, horizon, the newest action, and the changes of future actions against it."""
        steps = torch.arange(1, _ACTION_POINTS + 1, device=horizon.device) / _ACTION_POINTS
        frames = self.past - 1 + (horizon[:, None] * steps).round().long()  # [B, points]
        newest = actions[:, self.past - 1 : self.past]
        changes = actions.gather(1, frames[:, :, None].expand(-1, -1, actions.shape[2])) - newest
        inputs = torch.cat([newest, changes], dim=1).flatten(1) * with_actions[:, None]
        return torch.cat([with_actions[:, None], horizon[:, None] / self.future, inputs], dim=1)


def _blocks(width: int) -> nn.ModuleList:
    blocks = [ConvBlock(width, _CONDITION) for _ in range(_BLOCKS)]
    for block in blocks:
        block.reset_parameters()
    return nn.ModuleList(blocks)


def _apply(blocks: nn.Module, cells: Tensor, condition: Tensor) -> Tensor:
    """Cells [B, W, h, w] through the blocks, which take several latents a sample."""
    cells, condition = cells[:, None], condition[:, None]
    for block in blocks.children():
        cells = block(cells, condition)
    return cells[:, 0]
