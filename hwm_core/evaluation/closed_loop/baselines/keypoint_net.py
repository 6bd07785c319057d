"""A small network that reads numbers from images."""

from torch import Tensor, nn

from hwm_core.planning.keypoint_reader import KeypointReader
from hwm_core.precision import autocast, read_precision


class KeypointNet(KeypointReader):
    """Images and some numbers -> numbers.

    Args:
        channels: of the images, stacked.
        numbers: other inputs.
        outputs: numbers to read.
    """

    def __init__(self, channels: int, numbers: int, outputs: int) -> None:
        features = nn.Sequential(
            nn.Conv2d(channels, 32, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(48, 64, 3, padding=1),
            nn.GELU(),
        )
        super().__init__(features, 64, numbers, outputs)

    def forward(self, images: Tensor, numbers: Tensor) -> Tensor:
        """[B, outputs] of images [B, channels, H, W] in [0, 1] and numbers [B, n]."""
        fast = read_precision("auto" if self.training else "float32", images.device)  # 1.5 times faster to train
        with autocast(images.device, fast):
            features = self.features(images - 0.5)
        return self.read_features(features.float(), numbers)
