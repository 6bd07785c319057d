"""Small networks that stand in for the networks of metrics."""

import torch
from torch import nn


class Colours(nn.Module):
    """Mean and standard deviation of each colour."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.cat([frames.mean([2, 3]), frames.std([2, 3])], dim=1)


class PublishedI3d(nn.Module):
    """The signature of the published I3D."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.randn(400, 6, generator=torch.Generator().manual_seed(0)))

    def forward(
        self, clips: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        assert rescale and resize and return_features and clips.size(1) == 3
        first_and_last = torch.cat([clips[:, :, 0].mean([2, 3]), clips[:, :, -1].mean([2, 3])], dim=1)
        return first_and_last @ self.rows.T


def script(module: nn.Module, path) -> str:
    torch.jit.script(module).save(str(path))
    return str(path)


class TracedLpips(nn.Module):
    """The signature of a traced lpips.LPIPS: values in [-1, 1], distances [N, 1, 1, 1]."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean([1, 2, 3], keepdim=True) / 4


class WantsLong(PublishedI3d):
    """Fails on clips of fewer than 16 frames."""

    def forward(
        self, clips: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        if clips.size(2) < 16:
            raise RuntimeError("16 frames or more")
        return torch.cat([clips.mean([2, 3, 4]), clips.std([2, 3, 4])], dim=1) @ self.rows.T
