"""Reads numbers from images by keypoints: soft-argmax (Finn et al. 2016, arXiv 1509.06113)."""

import torch
from torch import Tensor, nn

KEYPOINTS = 32


class KeypointReader(nn.Module):
    """Feature maps -> where each of some heat maps is highest -> numbers.

    Args:
        features: images to maps [B, width, H, W].
        width: of the features.
        numbers: other inputs.
        outputs: numbers to read.
    """

    def __init__(self, features: nn.Module, width: int, numbers: int, outputs: int) -> None:
        super().__init__()
        self.features = features
        self.heat = nn.Conv2d(width, KEYPOINTS, 1)
        self.read = nn.Sequential(
            nn.Linear(2 * KEYPOINTS + width + numbers, 256),
            nn.GELU(),
            nn.Linear(256, 256),
            nn.GELU(),
            nn.Linear(256, outputs),
        )

    def read_features(self, features: Tensor, numbers: Tensor) -> Tensor:
        """[B, outputs] of feature maps [B, width, H, W] and numbers [B, n]."""
        heat = self.heat(features).flatten(2).softmax(dim=-1).unflatten(2, features.shape[-2:])
        rows, columns = (torch.linspace(-1, 1, size, device=features.device) for size in heat.shape[-2:])
        keypoints = torch.cat([heat.sum(dim=-1) @ rows[:, None], heat.sum(dim=-2) @ columns[:, None]], dim=-1)
        return self.read(torch.cat([keypoints.flatten(1), features.mean(dim=(2, 3)), numbers], dim=1))
