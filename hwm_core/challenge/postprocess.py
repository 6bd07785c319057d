"""Post-processing that raises the PSNR of a predicted frame: blur and histogram matching.

Both reduce the mean error and the realism of the image, so the reports give SSIM beside PSNR. Blur and histogram
matching gained one team 1.2 dB; the mean of 20 samples gained the winners 2.3 dB (arXiv 2510.07092).
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def blur(frame: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Gaussian blur of uint8 [H, W, 3]. `sigma` is in pixels; 0 returns the frame unchanged."""
    return frame if sigma == 0 else np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), dtype=np.uint8)


def match_histogram(frame: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map each colour channel of `frame` to the histogram of `reference`, both uint8 [H, W, 3]. Order is kept."""
    matched = np.empty_like(frame)
    for colour in range(3):
        own, target = (np.bincount(one[..., colour].ravel(), minlength=256).cumsum() for one in (frame, reference))
        # The level of the reference with the same share of darker pixels. Whole numbers avoid rounding: a frame keeps
        # its levels if it already has the histogram of the reference.
        table = np.searchsorted(target * own[-1], own * target[-1])
        matched[..., colour] = table.astype(np.uint8)[frame[..., colour]]
    return matched
