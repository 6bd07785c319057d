"""Errors of every window, and the numbers made from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr

Region = Literal["frame", "moved"]


@dataclass(frozen=True)
class Errors:
    """Mean squared errors of one row, [W, horizons]."""

    frame: NDArray[np.float64]
    moved: NDArray[np.float64] | None  # inside objects that moved; NaN where none did

    def of(self, region: Region) -> NDArray[np.float64]:
        values = self.frame if region == "frame" else self.moved
        if values is None:
            raise ValueError("evaluated without object tracks")
        return values


@dataclass(frozen=True)
class EvaluationResult:
    """W windows by N horizons, for every row."""

    horizons: tuple[int, ...]
    rows: Mapping[str, Errors]
    episode_names: tuple[str, ...]
    episode: NDArray[np.int64]  # [W] index into episode_names
    start: NDArray[np.int64]  # [W] first frame seen
    still_camera: NDArray[np.bool_]  # [W]
    moved_pixels: NDArray[np.int64] | None  # [W, N]

    def __len__(self) -> int:
        return len(self.episode)

    def only(self, windows: NDArray[np.bool_]) -> "EvaluationResult":
        """The same for the windows chosen, bool [W]."""
        rows = {
            row: Errors(errors.frame[windows], None if errors.moved is None else errors.moved[windows])
            for row, errors in self.rows.items()
        }
        return replace(
            self,
            rows=rows,
            episode=self.episode[windows],
            start=self.start[windows],
            still_camera=self.still_camera[windows],
            moved_pixels=None if self.moved_pixels is None else self.moved_pixels[windows],
        )

    def psnr(self, row: str, horizon: int, region: Region = "frame") -> float:
        """Mean over windows of the PSNR (dB) `horizon` frames ahead; NaN when no window counts."""
        return mean_psnr(self._errors(row, horizon, region))

    def pooled_psnr(self, row: str, horizon: int, region: Region = "frame") -> float:
        """The PSNR (dB) of the mean error."""
        column = self.horizons.index(horizon)
        pixels = self.moved_pixels[:, column] if region == "moved" and self.moved_pixels is not None else None
        return pooled_psnr(self._errors(row, horizon, region), pixels)

    def gain(self, row: str, over: str, horizon: int, region: Region = "frame", seed: int = 0) -> Interval:
        """How many dB `row` is above `over`, with a 95 % interval over episodes."""
        gains = psnr(self._errors(row, horizon, region)) - psnr(self._errors(over, horizon, region))
        return paired_bootstrap(gains, self.episode, seed)

    def count(self, horizon: int, region: Region = "frame") -> int:
        """Windows that count."""
        return int((~np.isnan(self._errors("copy_last", horizon, region))).sum())

    def _errors(self, row: str, horizon: int, region: Region) -> NDArray[np.float64]:
        return self.rows[row].of(region)[:, self.horizons.index(horizon)]
