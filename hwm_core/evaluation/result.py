"""The result of an evaluation: the measurements on all windows, and their statistics."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.distances import Distances
from hwm_core.evaluation.sensitivity import JointResponse
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.evaluation.window_results import FrameErrors, Region, WindowResults
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.controllability import delta_psnr
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr


@dataclass(frozen=True)
class WindowIndex:
    """The episodes and frames of the W windows."""

    episode_names: tuple[str, ...]
    episode: NDArray[np.int64]  # [W] index into episode_names
    start: NDArray[np.int64]  # [W] first frame of the past
    newest: NDArray[np.int64]  # [W] last frame of the past
    still_camera: NDArray[np.bool_]  # [W] whether the camera does not move in the window's episode

    def only(self, windows: NDArray[np.bool_]) -> "WindowIndex":
        """The chosen windows, bool [W]."""
        return replace(
            self,
            episode=self.episode[windows],
            start=self.start[windows],
            newest=self.newest[windows],
            still_camera=self.still_camera[windows],
        )


@dataclass(frozen=True)
class EvaluationResult:
    """W windows by F frames ahead, for every condition. Tables show the horizons."""

    horizons: tuple[int, ...]
    seed: int  # seed of the evaluation and of the bootstrap of every interval
    manifest: ActionManifest
    windows: WindowIndex
    measured: WindowResults
    distances: Distances

    def __len__(self) -> int:
        return len(self.windows.episode)

    @property
    def conditions(self) -> Mapping[str, FrameErrors]:
        return self.measured.conditions

    @property
    def tokens(self) -> TokenScores | None:
        return self.measured.tokens

    @property
    def sensitivity(self) -> JointResponse | None:
        """The response of the windows in which joints were perturbed."""
        response = self.measured.sensitivity
        return None if response is None else response.chosen()

    @property
    def num_frames(self) -> int:
        return max(self.horizons)

    @property
    def num_episodes(self) -> int:
        """Episodes that have windows."""
        return len(np.unique(self.windows.episode))

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of every condition in addition to the error: keys of MEASURES."""
        return tuple(next(iter(self.conditions.values())).measures)

    def only(self, windows: NDArray[np.bool_]) -> "EvaluationResult":
        """The chosen windows, bool [W]; the distances are still of all windows."""
        return replace(self, windows=self.windows.only(windows), measured=self.measured.only(windows))

    def psnr(self, condition: str, horizon: int, region: Region = "frame") -> float:
        """Mean over windows of the PSNR (dB) `horizon` frames ahead; NaN if no window counts."""
        return mean_psnr(self._errors(condition, horizon, region))

    def pooled_psnr(self, condition: str, horizon: int, region: Region = "frame") -> float:
        """The PSNR (dB) of the mean error."""
        moved = self.measured.moved_pixels
        pixels = moved[:, horizon - 1] if region == "moved" and moved is not None else None
        return pooled_psnr(self._errors(condition, horizon, region), pixels)

    def measure(self, name: str, condition: str, horizon: int) -> float:
        """The mean over windows of one of `measures`, `horizon` frames ahead."""
        return float(self.conditions[condition].measures[name][:, horizon - 1].mean())

    def window_psnr(self, condition: str) -> NDArray[np.float64]:
        """[W] the mean PSNR (dB) over all frames ahead."""
        return psnr(self.conditions[condition].mse).mean(axis=1)

    def gain(self, condition: str, over: str, horizon: int, region: Region = "frame") -> Interval:
        """How many dB `condition` is above `over`, with a 95 % interval over episodes."""
        gains = psnr(self._errors(condition, horizon, region)) - psnr(self._errors(over, horizon, region))
        return paired_bootstrap(gains, self.windows.episode, self.seed)

    def delta_psnr(self, over: str, horizon: int) -> Interval:
        """How many dB the prediction under the true actions is above the condition `over`."""
        own, other = (self._errors(condition, horizon, "frame") for condition in ("model", over))
        return delta_psnr(own, other, self.windows.episode, self.seed)

    def mean_gain(self, condition: str, over: str) -> Interval:
        """`gain` of the mean over all frames ahead."""
        gains = self.window_psnr(condition) - self.window_psnr(over)
        return paired_bootstrap(gains, self.windows.episode, self.seed)

    def nats_saved(self, over: str) -> Interval:
        """The nats per code by which `model` is below `over`. Only for results with `tokens`."""
        if self.tokens is None:
            raise ValueError("evaluated without codes")
        return self.tokens.saved(over, self.windows.episode, self.seed)

    def count(self, horizon: int, region: Region = "frame") -> int:
        """The number of windows whose error is not NaN."""
        return int((~np.isnan(self._errors("copy_last", horizon, region))).sum())

    def _errors(self, condition: str, horizon: int, region: Region) -> NDArray[np.float64]:
        return self.conditions[condition].of(region)[:, horizon - 1]
