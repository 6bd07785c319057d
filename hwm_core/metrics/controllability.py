"""How much of a prediction comes from the actions: delta-PSNR (Genie, arXiv 2402.15391, section 3).

There: PSNR of the frame t steps ahead predicted with the actions inferred from the truth, minus PSNR of the one
predicted with random actions; t = 4. Here the true actions are known, and the others are another window's motion played
from this window's own pose (`shuffled`), which is harder to beat than random values. 0: the actions are not heard.
"""

import numpy as np
from numpy.typing import NDArray

from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr


def delta_psnr(
    true_mse: NDArray[np.float64], other_mse: NDArray[np.float64], episodes: NDArray[np.int64], seed: int
) -> Interval:
    """Mean over windows of PSNR with true minus PSNR with other actions (dB), with an interval over episodes.

    Args:
        true_mse, other_mse: [W] errors of one frame of each window, values in [0, 1].
        episodes: [W] which episode each window belongs to.
    """
    return paired_bootstrap(psnr(true_mse) - psnr(other_mse), episodes, seed)
