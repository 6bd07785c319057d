"""Detail transfer: in static regions, restore the detail that the tokenizer loses, from the newest observed frame."""

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 0.08  # side of the square around a pixel that must be static, as a share of the image height
_TOLERANCE = 0.06  # mean change, in units of the value range, that lowers the transferred detail to 1/e


def transfer_detail(decoded: Tensor, decoded_newest: Tensor, newest: Tensor) -> Tensor:
    """Add the reconstruction error of the newest observed frame to decoded frames, where they are static.

    In static regions the reconstruction error is the same in every frame, and it is known for the newest one. It is
    weighted by exp(-(m / 0.06)^2), where m is the mean change around a pixel since the newest frame. Skipped blocks of
    video codecs use the same idea. It is not part of the paper.

    Args:
        decoded: [S, F, 3, H, W] in [0, 1], predicted frames from the tokenizer's decoder.
        decoded_newest: [B, 3, H, W], the decoder's output for the newest observed frame; B is S, or 1.
        newest: [B, 3, H, W] in [0, 1], the newest observed frame.

    Returns:
        [S, F, 3, H, W] in [0, 1].
    """
    side = 1 + 2 * round(_WINDOW * decoded.shape[-2] / 2)
    change = (decoded - decoded_newest[:, None]).abs().mean(2)
    around = F.avg_pool2d(change, side, stride=1, padding=side // 2, count_include_pad=False)
    weight = torch.exp(-(around / _TOLERANCE).square())
    return (decoded + weight[:, :, None] * (newest - decoded_newest)[:, None]).clamp(0, 1)
