"""Peak signal-to-noise ratio of predicted frames, values in [0, 1].

`PSNR(h)` is the mean over windows of the PSNR of the frame exactly h ahead. The *pooled* PSNR takes the mean of the
squared error first; the two differ by up to 2.8 dB, because the mean of logarithms favours the easy windows, so both
are always given.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MSE_FLOOR = 1e-6  # 60 dB: a window that stands still must not be worth infinitely much


def frame_mse(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean squared error of each frame. Both uint8 [..., H, W, 3]; returns [...], for values in [0, 1]."""
    return np.asarray(_squared_error(prediction, truth).mean(axis=(-2, -1)))


def masked_mse(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean squared error of each frame over the pixels of `mask` alone.

    Args:
        prediction, truth: uint8 [..., H, W, 3].
        mask: bool [..., H, W].

    Returns:
        (error [...], pixels [...]): the error is NaN where the mask is empty.
    """
    pixels = mask.sum(axis=(-2, -1))
    total = (_squared_error(prediction, truth) * mask).sum(axis=(-2, -1))
    return np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan), pixels


def psnr(mse: ArrayLike) -> NDArray[np.float64]:
    """Decibels of mean squared errors, elementwise; NaN stays NaN."""
    return -10.0 * np.log10(np.maximum(mse, MSE_FLOOR))


def mean_psnr(mse: NDArray[np.float64]) -> float:
    """The mean over windows of each window's PSNR. NaN windows do not count; NaN when none is left."""
    counted = mse[~np.isnan(mse)]
    return float(psnr(counted).mean()) if counted.size else float("nan")


def pooled_psnr(mse: NDArray[np.float64], pixels: NDArray[np.int64] | None = None) -> float:
    """The PSNR of the mean error over all windows (over all pixels, when windows have unequal numbers of them)."""
    counted = ~np.isnan(mse)
    if not counted.any():
        return float("nan")
    return float(psnr(np.average(mse[counted], weights=None if pixels is None else pixels[counted])))


def _squared_error(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[..., H, W], the mean over colours."""
    difference = (prediction.astype(np.float64) - truth) / 255.0
    return np.asarray(np.square(difference).mean(axis=-1))
