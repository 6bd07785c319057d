"""Detail of the newest frame, kept where the picture stands still; video coding does the same with a skipped block."""

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 0.08  # of the height: how far around a pixel it must be still
_STILL = 0.06  # of the range of values: a change by which a third of the detail is left


def carried(painted: Tensor, rebuilt: Tensor, newest: Tensor) -> Tensor:
    """Painted frames with what the tokenizer loses of the newest one.

    A tokenizer errs alike in every frame of a thing that does not move, and its error in the newest frame is known. It
    is made good by exp(-(m / 0.06)^2), where m is how far the painted frames around that pixel are from the newest.

    Args:
        painted: [S, F, 3, H, W] in [0, 1], what the tokenizer paints.
        rebuilt: [B, 3, H, W], what it paints of the newest frame; B is S, or 1.
        newest: [B, 3, H, W] in [0, 1], that frame itself.

    Returns:
        [S, F, 3, H, W] in [0, 1].
    """
    reach = 1 + 2 * round(_REACH * painted.shape[-2] / 2)
    moved = (painted - rebuilt[:, None]).abs().mean(2)
    around = F.avg_pool2d(moved, reach, stride=1, padding=reach // 2, count_include_pad=False)
    still = torch.exp(-(around / _STILL).square())
    return (painted + still[:, :, None] * (newest - rebuilt)[:, None]).clamp(0, 1)
