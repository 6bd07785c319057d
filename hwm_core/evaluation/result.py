"""Errors of every window, and the numbers made from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.distances import Distances
from hwm_core.evaluation.measures import measured
from hwm_core.evaluation.sensitivity import Sensitivity
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.io.resumable import Numbers
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.controllability import delta_psnr
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr

Region = Literal["frame", "moved"]


@dataclass(frozen=True)
class Errors:
    """One row, [W, F]: every frame ahead."""

    frame: NDArray[np.float64]  # mean squared error
    moved: NDArray[np.float64] | None  # the same inside objects that moved; NaN where none did
    measures: Mapping[str, NDArray[np.float64]]  # by the keys of MEASURES: those that were asked for

    def of(self, region: Region) -> NDArray[np.float64]:
        values = self.frame if region == "frame" else self.moved
        if values is None:
            raise ValueError("evaluated without object tracks")
        return values

    def only(self, windows: NDArray[np.bool_]) -> "Errors":
        moved = None if self.moved is None else self.moved[windows]
        return Errors(self.frame[windows], moved, {name: values[windows] for name, values in self.measures.items()})


@dataclass(frozen=True)
class EvaluationResult:
    """W windows by F frames ahead, for every row; tables are of the horizons."""

    horizons: tuple[int, ...]
    rows: Mapping[str, Errors]
    episode_names: tuple[str, ...]
    episode: NDArray[np.int64]  # [W] index into episode_names
    start: NDArray[np.int64]  # [W] first frame of the window
    newest: NDArray[np.int64]  # [W] the frame that is ahead of by 0
    still_camera: NDArray[np.bool_]  # [W]
    moved_pixels: NDArray[np.int64] | None  # [W, F]
    sensitivity: Sensitivity | None
    distances: Distances
    tokens: TokenScores | None  # of a masked model, where asked for
    seed: int  # of the evaluation's settings; it draws the episodes of every interval

    @classmethod
    def of(
        cls,
        numbers: Numbers,
        *,
        rows: tuple[str, ...],
        horizons: tuple[int, ...],
        manifest: ActionManifest,
        episode_names: tuple[str, ...],
        episode: NDArray[np.int64],
        start: NDArray[np.int64],
        newest: NDArray[np.int64],
        still_camera: NDArray[np.bool_],
        distances: Distances,
        tokens: TokenScores | None,
        seed: int,
    ) -> "EvaluationResult":
        """From the joined numbers of all batches."""
        sensitivity, probes = None, numbers.get("probe")
        if probes is not None:
            change, mse = probes[~np.isnan(probes).all(axis=(1, 2))].swapaxes(0, 1)
            sensitivity = Sensitivity.of(manifest, change, mse)
        return cls(
            horizons=horizons,
            rows={
                row: Errors(numbers[f"{row}/mse"], numbers.get(f"{row}/moved"), measured(row, numbers)) for row in rows
            },
            episode_names=episode_names,
            episode=episode,
            start=start,
            newest=newest,
            still_camera=still_camera,
            moved_pixels=numbers.get("moved_pixels"),
            sensitivity=sensitivity,
            distances=distances,
            tokens=tokens,
            seed=seed,
        )

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def num_frames(self) -> int:
        return max(self.horizons)

    @property
    def num_episodes(self) -> int:
        """Episodes that have windows."""
        return len(np.unique(self.episode))

    @property
    def measures(self) -> tuple[str, ...]:
        """Keys of MEASURES: what there is of every row."""
        return tuple(next(iter(self.rows.values())).measures)

    def only(self, windows: NDArray[np.bool_]) -> "EvaluationResult":
        """The same for the windows chosen, bool [W]."""
        return replace(
            self,
            rows={row: errors.only(windows) for row, errors in self.rows.items()},
            episode=self.episode[windows],
            start=self.start[windows],
            newest=self.newest[windows],
            still_camera=self.still_camera[windows],
            moved_pixels=None if self.moved_pixels is None else self.moved_pixels[windows],
            tokens=None if self.tokens is None else self.tokens.only(windows),
        )

    def psnr(self, row: str, horizon: int, region: Region = "frame") -> float:
        """Mean over windows of the PSNR (dB) `horizon` frames ahead; NaN when no window counts."""
        return mean_psnr(self._errors(row, horizon, region))

    def pooled_psnr(self, row: str, horizon: int, region: Region = "frame") -> float:
        """The PSNR (dB) of the mean error."""
        pixels = self.moved_pixels[:, horizon - 1] if region == "moved" and self.moved_pixels is not None else None
        return pooled_psnr(self._errors(row, horizon, region), pixels)

    def measure(self, name: str, row: str, horizon: int) -> float:
        """The mean over windows of one of `measures`, `horizon` frames ahead."""
        return float(self.rows[row].measures[name][:, horizon - 1].mean())

    def window_psnr(self, row: str) -> NDArray[np.float64]:
        """[W] the mean over all frames ahead of their PSNR (dB)."""
        return psnr(self.rows[row].frame).mean(axis=1)

    def gain(self, row: str, over: str, horizon: int, region: Region = "frame") -> Interval:
        """How many dB `row` is above `over`, with a 95 % interval over episodes."""
        gains = psnr(self._errors(row, horizon, region)) - psnr(self._errors(over, horizon, region))
        return paired_bootstrap(gains, self.episode, self.seed)

    def delta_psnr(self, row: str, horizon: int) -> Interval:
        """How many dB the true actions are worth against those of `row`."""
        return delta_psnr(
            self._errors("model", horizon, "frame"), self._errors(row, horizon, "frame"), self.episode, self.seed
        )

    def whole_gain(self, row: str, over: str) -> Interval:
        """`gain` of the mean over all frames ahead."""
        return paired_bootstrap(self.window_psnr(row) - self.window_psnr(over), self.episode, self.seed)

    def nats_saved(self, over: str) -> Interval:
        """How many nats a code `model` is below `over`; of a result with `tokens`."""
        if self.tokens is None:
            raise ValueError("evaluated without codes")
        return self.tokens.saved(over, self.episode, self.seed)

    def count(self, horizon: int, region: Region = "frame") -> int:
        """Windows that count."""
        return int((~np.isnan(self._errors("copy_last", horizon, region))).sum())

    def _errors(self, row: str, horizon: int, region: Region) -> NDArray[np.float64]:
        return self.rows[row].of(region)[:, horizon - 1]
