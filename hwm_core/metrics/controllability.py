"""How much predictions depend on the actions: delta-PSNR (Genie, arXiv 2402.15391, section 3).

Genie subtracts two values of PSNR for the frame 4 steps ahead: predicted with actions inferred from the truth, and with
random actions. Here the true actions are known. The other actions are another window's motion, applied to this window's
own pose (`shuffled`), which is harder to beat than random values. 0: the model ignores the actions.
"""

import numpy as np
from numpy.typing import NDArray

from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import psnr


def delta_psnr(
    true_mse: NDArray[np.float64], other_mse: NDArray[np.float64], episodes: NDArray[np.int64], seed: int
) -> Interval:
    """Mean over windows of the PSNR with true actions minus the PSNR with other actions (dB), and its interval.

    Args:
        true_mse, other_mse: [W] errors of one frame of each window, values in [0, 1].
        episodes: [W] the episode of each window.
    """
    return paired_bootstrap(psnr(true_mse) - psnr(other_mse), episodes, seed)
