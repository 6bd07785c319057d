"""Structural similarity of predicted frames: SSIM (Wang et al. 2004), and MS-SSIM over five scales (Wang et al. 2003).

Computed by torchmetrics, in colour, on values in [0, 1], with a Gaussian window of standard deviation 1.5.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadImage

_SMALLEST, _SMALLEST_MS = 11, 176  # pixels: one Gaussian window; for MS-SSIM after halving four times, 11 * 2^4


def frame_ssim(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM of each frame. Both uint8 [..., H, W, 3]; returns [...]. Raises BadImage for frames under 11 pixels."""
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes seconds to import

    a, b = _pair(prediction, truth, _SMALLEST, "SSIM")
    values = structural_similarity_index_measure(a, b, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return _shaped(values, prediction)


def frame_ms_ssim(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """MS-SSIM of each frame, as `frame_ssim`. Raises BadImage for frames under 176 pixels: too small for MS-SSIM."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure  # takes seconds to import

    a, b = _pair(prediction, truth, _SMALLEST_MS, "MS-SSIM")
    values = multiscale_structural_similarity_index_measure(a, b, data_range=1.0, reduction="none", normalize="relu")
    return _shaped(values, prediction)


def _pair(prediction: NDArray[np.uint8], truth: NDArray[np.uint8], smallest: int, what: str) -> tuple[Tensor, Tensor]:
    if prediction.shape != truth.shape or prediction.ndim < 3 or prediction.shape[-1] != 3:
        raise BadImage(
            f"Frames for {what}",
            expected=f"two arrays of one shape [..., H, W, 3], {list(truth.shape)}",
            got=list(prediction.shape),
            remedy="Compare frames of one size.",
        )
    if min(prediction.shape[-3:-1]) < smallest:
        raise BadImage(
            f"Frames for {what}",
            expected=f"{smallest} pixels or more along each side",
            got=list(prediction.shape[-3:-1]),
            remedy="It is not defined for smaller frames; compare by PSNR and SSIM.",
        )
    return _tensor(prediction), _tensor(truth)


def _tensor(frames: NDArray[np.uint8]) -> Tensor:
    """uint8 [..., H, W, 3] -> float32 [N, 3, H, W] in [0, 1]: exact to four digits, in a tenth of float64's time."""
    flat = frames.reshape(-1, *frames.shape[-3:])
    return torch.from_numpy(np.ascontiguousarray(flat)).permute(0, 3, 1, 2).float() / 255


def _shaped(values: Tensor, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    return values.double().numpy().reshape(frames.shape[:-3])
