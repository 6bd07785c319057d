"""Evaluates one model: every condition on every window, batch by batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import evenly_spaced
from hwm_core.device import arithmetic
from hwm_core.evaluation.conditions import WindowBatch, conditions_of
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.distances import TRUTH, Features
from hwm_core.evaluation.frame_measures import FrameMeasures
from hwm_core.evaluation.identity import episodes_identity
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import EvaluationResult, WindowIndex
from hwm_core.evaluation.sensitivity import joint_response
from hwm_core.evaluation.token_scores import evaluate_tokens, predicts_tokens
from hwm_core.evaluation.window_results import FrameErrors, WindowResults
from hwm_core.evaluation.windows import EvaluationWindows, Indices, donor_windows, has_still_camera
from hwm_core.io.resumable import Numbers
from hwm_core.metrics.extractors import Extractor
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.psnr import frame_mse, masked_mse
from hwm_core.metrics.unavailable import Unavailable
from hwm_core.rng.candidates import derived_seed
from hwm_core.types import Episode
from hwm_core.world_model.model import WorldModel

Progress = Callable[[int, int], None]


class PartialResults(Protocol):
    """The arrays of every evaluated batch, by the batch's name: a `ResumableResults`, or a dict."""

    def __contains__(self, batch: object, /) -> bool: ...
    def __getitem__(self, batch: str, /) -> Numbers: ...
    def __setitem__(self, batch: str, numbers: Numbers, /) -> None: ...


class Evaluation:
    """A model, the windows it is evaluated on, and the donors of shuffled actions.

    Args:
        episodes: with the model's preprocessing.
        config: settings of the evaluation.
        objects: object tracks by episode name; with them, errors inside moved objects are also measured.
        extractors: networks for distances between sets of frames.
        lpips: the network that compares frame by frame, or the reason why it is unavailable.
        compared_with: other models. The windows are long enough for all models, so all models use the same windows.

    Raises:
        BadBag: no window of this length; or only one window, so that shuffled actions are impossible.
        RobotMismatch, BadActions: episodes of another robot, or without the model's kind of actions.
        BadConfig: two extractors whose distances have the same name.
    """

    def __init__(
        self,
        world_model: WorldModel,
        episodes: Sequence[Episode],
        config: EvaluationConfig | None = None,
        *,
        objects: Mapping[str, ObjectTracks] | None = None,
        extractors: Sequence[Extractor] = (),
        lpips: Lpips | Unavailable | None = None,
        compared_with: Sequence[WorldModel] = (),
    ) -> None:
        self.world_model, self.episodes, self.config = world_model, episodes, config or EvaluationConfig()
        self.conditions = conditions_of(self.config)
        self.windows = EvaluationWindows(
            episodes,
            world_model.manifest,
            max(model.past_frames for model in (world_model, *compared_with)),
            max(self._future(model) for model in (world_model, *compared_with)),
            self.config.stride,
            self.config.max_windows,
        )
        height, width = episodes[0].frames.shape[1:3]
        self.features = Features(extractors, (self.config.num_frames, height, width))
        self.measures = FrameMeasures((height, width), structure=self.config.ssim, lpips=lpips)
        count = len(self.windows)
        batches = np.array_split(np.arange(count), -(-count // self.config.batch))
        self._batches = {f"{number:06d}": windows for number, windows in enumerate(batches)}
        self._tracks = None if objects is None else [objects[episode.name] for episode in episodes]
        self._donors = donor_windows(self.windows, self.config.seed)
        self._evaluates_tokens = self.config.tokens and predicts_tokens(world_model)
        self._perturbed = (
            set(evenly_spaced(self.config.sensitivity, count).tolist()) if self.config.sensitivity else set()
        )

    def run(self, progress: Progress = lambda done, of: None) -> EvaluationResult:
        """Evaluate every condition on every window, in memory."""
        partial: dict[str, Numbers] = {}
        self.evaluate(partial, progress=progress)
        return self.result(partial)

    def evaluate(
        self, partial: PartialResults, *, rank: int = 0, ranks: int = 1, progress: Progress = lambda done, of: None
    ) -> None:
        """Evaluate the batches that `partial` does not contain yet, and store their results in `partial`.

        Args:
            partial: the results so far.
            rank, ranks: this process evaluates each `ranks`-th batch. The batches are the same for any number of ranks.
            progress: called with (windows done, number of windows) of this rank.
        """
        mine = list(self._batches.items())[rank::ranks]
        total, done = sum(len(windows) for _, windows in mine), 0
        for name, windows in mine:
            if name not in partial:
                partial[name] = self._evaluated(windows).to_arrays()
            done += len(windows)
            progress(done, total)

    def is_complete(self, partial: PartialResults) -> bool:
        """Whether the batches of all ranks are evaluated."""
        return all(name in partial for name in self._batches)

    def result(self, partial: PartialResults) -> EvaluationResult:
        """The results of all windows, from all batches."""
        batches = (WindowResults.from_arrays(partial[name]) for name in self._batches)
        still = np.array([has_still_camera(episode) for episode in self.episodes])
        windows = self.windows
        return EvaluationResult(
            horizons=self.config.horizons,
            seed=self.config.seed,
            manifest=self.world_model.manifest,
            windows=WindowIndex(
                episode_names=tuple(episode.name for episode in self.episodes),
                episode=windows.episode,
                start=windows.start,
                newest=windows.start + windows.past_frames - 1,
                still_camera=still[windows.episode],
            ),
            measured=WindowResults.joined([batch.without_features() for batch in batches]),
            distances=self.features.distances(
                tuple(self.conditions),
                (WindowResults.from_arrays(partial[name]).features for name in self._batches),
                windows=len(windows),
                seed=self.config.seed,
            ),
        )

    def batch(self, windows: Indices) -> WindowBatch:
        """These windows, with their contexts encoded."""
        seen = self.windows.past_frames
        own = slice(seen - self.world_model.past_frames, seen + self._future(self.world_model))
        past, future = slice(own.start, seen), slice(own.stop - seen)
        frames, actions = self.windows.frames(windows), self.windows.actions(windows)
        camera = frames[:, own]
        of_conditions = {
            "model": actions[:, seen:],
            "shuffled": self.windows.shuffled_actions(windows, self._donors[np.asarray(windows)]),
            "zero": self.windows.held_actions(windows),
            "reversed": self.windows.reversed_actions(windows),
        }
        return WindowBatch(
            world_model=self.world_model,
            config=self.config,
            seeds=[derived_seed(self.config.seed, int(window)) for window in windows],
            past=self.world_model.observe(frames[:, past], actions[:, past]),
            camera=camera,
            reference=camera if self.config.truth == "camera" else self.world_model.reconstruct(camera),
            actions={condition: values[:, future] for condition, values in of_conditions.items()},
        )

    @property
    def networks(self) -> dict[str, str]:
        """{metric: name and sha256 of its network}."""
        networks = {metric: e.identity for e in self.features.extractors for metric in (e.metric, e.kernel_metric)}
        lpips = self.measures.lpips
        return networks if lpips is None else {**networks, "LPIPS": lpips.identity}

    @property
    def unavailable(self) -> tuple[Unavailable, ...]:
        """Requested metrics that these frames do not allow."""
        return (*self.features.unavailable, *self.measures.unavailable)

    def identity(self) -> dict[str, Any]:
        """Everything that the numbers depend on, JSON-serialisable: model, episodes, windows, settings, arithmetic."""
        return {
            "format": 3,
            "checkpoint": {"name": self.world_model.name, "sha256": self.world_model.sha256},
            "arithmetic": arithmetic(self.world_model.device, self.world_model.dtype),
            "episodes": episodes_identity(self.episodes),
            "objects": self._tracks is not None,
            "networks": self.networks,
            "window": {"past": self.windows.past_frames, "future": self.windows.future_frames},
            "settings": self.config.plain(),
        }

    def _evaluated(self, windows: NDArray[np.int64]) -> WindowResults:
        batch, ahead = self.batch(windows), self.config.num_frames
        truth, moved = batch.truth[:, :ahead], self._moved(windows)
        errors, features = {}, dict(self.features.of(TRUTH, truth))
        for condition, predict in self.conditions.items():
            predicted = predict(batch)[:, :ahead]
            errors[condition] = FrameErrors(
                mse=frame_mse(predicted, truth),
                moved_mse=None if moved is None else masked_mse(predicted, truth, moved)[0],
                measures=self.measures.of(predicted, truth),
            )
            features.update(self.features.of(condition, predicted))
        perturbed = [i for i, window in enumerate(windows.tolist()) if window in self._perturbed]
        return WindowResults(
            conditions=errors,
            moved_pixels=None if moved is None else moved.sum(axis=(2, 3)),
            features=features,
            tokens=evaluate_tokens(batch) if self._evaluates_tokens else None,
            sensitivity=joint_response(batch, perturbed) if self._perturbed else None,
        )

    def _future(self, world_model: WorldModel) -> int:
        """Frames to predict: whole latents."""
        factor = world_model.tokenizer.temporal_factor
        return -(-self.config.num_frames // factor) * factor

    def _moved(self, windows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """[B, frames ahead, H, W]: pixels of objects that moved since the newest frame of the past."""
        if self._tracks is None:
            return None
        newest = self.windows.start[windows] + self.windows.past_frames - 1
        pairs = [(self._tracks[e], int(n)) for e, n in zip(self.windows.episode[windows], newest, strict=True)]
        ahead = range(1, 1 + self.config.num_frames)
        return np.stack([[tracks.moved(n, n + h) for h in ahead] for tracks, n in pairs])
