"""Peak signal-to-noise ratio of predicted frames, values in [0, 1].

`PSNR(h)` is the mean over windows of the PSNR of the frame exactly h ahead. The *pooled* PSNR is the PSNR of the mean
squared error. The two differ by up to 2.8 dB, because the mean of logarithms favours easy windows. Therefore, both are
always reported.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MSE_FLOOR = 1e-6  # 60 dB: the PSNR of a static window must be finite


def frame_mse(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean squared error of each frame. Both uint8 [..., H, W, 3]; returns [...], for values in [0, 1]."""
    return np.asarray(_squared_error(prediction, truth).mean(axis=(-2, -1)))


def masked_mse(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean squared error of each frame over the pixels of `mask` only.

    Args:
        prediction, truth: uint8 [..., H, W, 3].
        mask: bool [..., H, W].

    Returns:
        (error [...], pixels [...]): the error is NaN if the mask is empty.
    """
    pixels = mask.sum(axis=(-2, -1))
    total = (_squared_error(prediction, truth) * mask).sum(axis=(-2, -1))
    return np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan), pixels


def psnr(mse: ArrayLike) -> NDArray[np.float64]:
    """PSNR in dB of mean squared errors, elementwise. NaN remains NaN."""
    return -10.0 * np.log10(np.maximum(mse, MSE_FLOOR))


def mean_psnr(mse: NDArray[np.float64]) -> float:
    """The mean over windows of each window's PSNR. NaN windows do not count; NaN if no window counts."""
    counted = mse[~np.isnan(mse)]
    return float(psnr(counted).mean()) if counted.size else float("nan")


def pooled_psnr(mse: NDArray[np.float64], pixels: NDArray[np.int64] | None = None) -> float:
    """The PSNR of the mean error over all windows; if `pixels` is given, over all their pixels."""
    counted = ~np.isnan(mse)
    if not counted.any():
        return float("nan")
    return float(psnr(np.average(mse[counted], weights=None if pixels is None else pixels[counted])))


def _squared_error(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[..., H, W], the mean over colours."""
    difference = (prediction.astype(np.float64) - truth) / 255.0
    return np.asarray(np.square(difference).mean(axis=-1))
