"""A regression U-Net on pixels: the frame h ahead, as what it differs by from the newest one.

A baseline, and no world model: it paints the mean of the future at one horizon at a time, without latents or samples.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.data.episodes.augment import Augmentation
from hwm_core.nn.cells import GROUPS, CellBlock
from hwm_core.rng.batch_rows import integers, uniform
from hwm_core.train.task import Batch
from hwm_core.train.tasks import unit

_POINTS = 8  # of the motion to come, evenly spread up to the frame that is painted
_FOLD = 2  # pixels to a cell, along each side
_WIDTHS = (64, 96, 160)  # at a half, a quarter and an eighth of the frame's size
_BLOCKS = 2  # at each size, on the way down and on the way up
_CONDITION = 256


class RegressionUNet(nn.Module):
    """Frames seen, the motion to come and a horizon, to the frame at that horizon.

    Args:
        past, future: frames seen, and the largest horizon.
        joints: A of the actions.
    """

    def __init__(self, *, past: int, future: int, joints: int) -> None:
        super().__init__()
        self.past, self.future = past, future
        pixels = 3 * _FOLD**2
        self.stem = nn.Conv2d(pixels * past, _WIDTHS[0], 3, padding=1)
        self.condition = nn.Sequential(
            nn.Linear(2 + joints * (1 + _POINTS), _CONDITION), nn.SiLU(), nn.Linear(_CONDITION, _CONDITION), nn.SiLU()
        )
        self.down, self.up = (nn.ModuleList(map(_blocks, _WIDTHS)) for _ in range(2))
        sizes = tuple(pairwise(_WIDTHS))
        self.shrink = nn.ModuleList(nn.Conv2d(width, wider, 2, stride=2) for width, wider in sizes)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(wider, width, 2, stride=2) for width, wider in sizes)
        self.norm, self.head = nn.GroupNorm(GROUPS, _WIDTHS[0]), nn.Conv2d(_WIDTHS[0], pixels, 3, padding=1)
        for start in self.head.parameters():
            nn.init.zeros_(start)  # at first every frame is the newest one

    def forward(self, seen: Tensor, actions: Tensor, told: Tensor, ahead: Tensor) -> Tensor:
        """The frame [B, 3, H, W], its values about [0, 1].

        Args:
            seen: [B, past, 3, H, W] in [0, 1].
            actions: [B, past + future, A], normalised.
            told: [B] 1, or 0 where the actions count for nothing.
            ahead: int64 [B], 1 to `future`.
        """
        cells = self.stem(F.pixel_unshuffle(2 * seen.flatten(1, 2) - 1, _FOLD))
        condition, skips = self.condition(self._motion(actions, told, ahead)), []
        for width, blocks in enumerate(self.down):
            cells = _through(blocks, cells, condition)
            if width < len(self.shrink):
                skips.append(cells)
                cells = self.shrink[width](cells)
        for width, blocks in reversed(list(enumerate(self.up))):
            cells = _through(blocks, cells, condition)
            if width > 0:
                cells = self.grow[width - 1](cells) + skips.pop()
        return seen[:, -1] + F.pixel_shuffle(self.head(F.silu(self.norm(cells))), _FOLD)

    def _motion(self, actions: Tensor, told: Tensor, ahead: Tensor) -> Tensor:
        """[B, 2 + A (1 + points)]: the newest pose, and what joints move by from it on the way to the frame."""
        steps = torch.arange(1, _POINTS + 1, device=ahead.device) / _POINTS
        when = self.past - 1 + (ahead[:, None] * steps).round().long()  # [B, points]
        pose = actions[:, self.past - 1 : self.past]
        way = actions.gather(1, when[:, :, None].expand(-1, -1, actions.shape[2])) - pose
        heard = torch.cat([pose, way], dim=1).flatten(1) * told[:, None]
        return torch.cat([told[:, None], ahead[:, None] / self.future, heard], dim=1)


class RegressionTask:
    """The U-Net learns the frame at a horizon that is drawn for every window, by its squared error.

    `untold`: the part of the windows whose actions it is not told.
    """

    def __init__(self, module: RegressionUNet, augmentation: Augmentation, untold: float) -> None:
        self.module: nn.Module = module
        self._unet, self._augmentation, self._untold = module, augmentation, untold

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames, rows = batch["frames"], len(batch["frames"])
        ahead = integers(1, self._unet.future + 1, (rows,), generator)
        wanted = frames[torch.arange(rows), self._unet.past - 1 + ahead]
        few = torch.cat([frames[:, : self._unet.past], wanted[:, None]], dim=1)
        few = self._augmentation.frames(unit(few), generator)
        actions = self._augmentation.actions(batch["actions"], generator)
        told = (uniform((rows,), generator) >= self._untold).float()
        return (self._unet(few[:, :-1], actions, told, ahead).float() - few[:, -1]).square().mean(), {}

    def tokens(self, batch: Batch) -> int:
        """Cells of the finest grid."""
        return len(batch["frames"]) * batch["frames"][0, 0, 0].numel() // _FOLD**2


def _blocks(width: int) -> nn.ModuleList:
    blocks = [CellBlock(width, _CONDITION) for _ in range(_BLOCKS)]
    for block in blocks:
        block.reset_parameters()
    return nn.ModuleList(blocks)


def _through(blocks: nn.Module, cells: Tensor, condition: Tensor) -> Tensor:
    for block in blocks.children():
        cells = block(cells, condition)
    return cells
