"""Measures of each predicted frame in addition to its squared error: SSIM, MS-SSIM and LPIPS."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.ssim import frame_ms_ssim, frame_ssim
from hwm_core.metrics.unavailable import Unavailable, or_unavailable

MEASURES: Mapping[str, str] = {"ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"}
"""{key in results: name in tables}."""

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]
PerFrame = NDArray[np.float64]  # [B, F]
Measure = Callable[[Frames, Frames], PerFrame]  # prediction, truth -> value of each frame


class FrameMeasures:
    """The requested measures that frames of this size allow. `unavailable` has the reasons for the missing measures.

    Args:
        size: (H, W) of the frames.
        structure: whether SSIM and MS-SSIM are requested.
        lpips: the network, or the reason why it is unavailable; None if LPIPS is not requested.
    """

    def __init__(self, size: tuple[int, int], *, structure: bool, lpips: Lpips | Unavailable | None) -> None:
        self.lpips = lpips if isinstance(lpips, Lpips) else None
        self.unavailable: tuple[Unavailable, ...] = (lpips,) if isinstance(lpips, Unavailable) else ()
        requested: dict[str, Measure] = {"ssim": frame_ssim, "ms_ssim": frame_ms_ssim} if structure else {}
        if self.lpips is not None:
            requested["lpips"] = partial(_by_window, self.lpips)
        blank = np.zeros((1, 1, *size, 3), np.uint8)
        tried = {
            name: or_unavailable(MEASURES[name], partial(measure, blank, blank)) for name, measure in requested.items()
        }
        self.unavailable += tuple(outcome for outcome in tried.values() if isinstance(outcome, Unavailable))
        self._measures = {n: measure for n, measure in requested.items() if not isinstance(tried[n], Unavailable)}

    def of(self, prediction: Frames, truth: Frames) -> dict[str, PerFrame]:
        """The values [B, F] of each measure, by the keys of MEASURES."""
        return {name: measure(prediction, truth) for name, measure in self._measures.items()}


def _by_window(lpips: Lpips, prediction: Frames, truth: Frames) -> PerFrame:
    """One window at a time: the first feature maps of a deep network take hundreds of megabytes for a whole batch."""
    pairs = zip(prediction, truth, strict=True)
    return np.stack([lpips.distance(_tensor(a), _tensor(b)).double().numpy() for a, b in pairs])


def _tensor(frames: Frames) -> Tensor:
    """[F, H, W, 3] -> [F, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
