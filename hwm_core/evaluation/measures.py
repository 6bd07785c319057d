"""What is measured of every frame beside its error: structure, and the distance to a trained eye."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.io.resumable import Numbers
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.ssim import frame_ms_ssim, frame_ssim
from hwm_core.metrics.unavailable import Unavailable, or_unavailable

MEASURES: Mapping[str, str] = {"ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"}
"""As numbers are kept, and as people call them."""

Frames = NDArray[np.uint8]  # [B, F, H, W, 3]
Measure = Callable[[Frames, Frames], NDArray[np.float64]]  # prediction, truth -> [B, F]


class Measures:
    """Those that were asked for and that frames of this size allow; of the others, why not.

    Args:
        size: (H, W) of the frames.
        structure: SSIM and MS-SSIM.
        lpips: the network; why there is none; or None where nobody asked.
    """

    def __init__(self, size: tuple[int, int], *, structure: bool, lpips: Lpips | Unavailable | None) -> None:
        self.lpips = lpips if isinstance(lpips, Lpips) else None
        self.unavailable: tuple[Unavailable, ...] = (lpips,) if isinstance(lpips, Unavailable) else ()
        wanted: dict[str, Measure] = {"ssim": frame_ssim, "ms_ssim": frame_ms_ssim} if structure else {}
        if self.lpips is not None:
            wanted["lpips"] = partial(_by_window, self.lpips)
        blank = np.zeros((1, 1, *size, 3), np.uint8)
        tried = {
            name: or_unavailable(MEASURES[name], partial(measure, blank, blank)) for name, measure in wanted.items()
        }
        self.unavailable += tuple(found for found in tried.values() if isinstance(found, Unavailable))
        self._measures = {n: measure for n, measure in wanted.items() if not isinstance(tried[n], Unavailable)}

    def of(self, row: str, prediction: Frames, truth: Frames) -> Numbers:
        """[B, F] each, by the names they are kept by."""
        return {f"{row}/{name}": measure(prediction, truth) for name, measure in self._measures.items()}


def measured(row: str, numbers: Numbers) -> dict[str, NDArray[np.float64]]:
    """Back from `numbers`, those of a row by the keys of MEASURES."""
    return {name: numbers[f"{row}/{name}"] for name in MEASURES if f"{row}/{name}" in numbers}


def _by_window(lpips: Lpips, prediction: Frames, truth: Frames) -> NDArray[np.float64]:
    """A window at a time: the first maps of a deep network are hundreds of megabytes for a whole batch."""
    pairs = zip(prediction, truth, strict=True)
    return np.stack([lpips.distance(_tensor(a), _tensor(b)).double().numpy() for a, b in pairs])


def _tensor(frames: Frames) -> Tensor:
    """[F, H, W, 3] -> [F, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
