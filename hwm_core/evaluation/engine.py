"""Every row on every window, a batch at a time, keeping errors and no pictures."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import evenly_spaced
from hwm_core.device import arithmetic
from hwm_core.evaluation.conditions import Batch, rows_of
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.distances import Features, without_features
from hwm_core.evaluation.measures import Measures
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.sensitivity import probe
from hwm_core.evaluation.token_scores import TokenScores, evaluate_tokens, predicts_tokens
from hwm_core.evaluation.windows import EvaluationWindows, Indices, donors, has_still_camera
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
    """Arrays of every evaluated batch, by the batch's name: a `ResumableResults`, or a dict."""

    def __contains__(self, batch: object, /) -> bool: ...
    def __getitem__(self, batch: str, /) -> Numbers: ...
    def __setitem__(self, batch: str, numbers: Numbers, /) -> None: ...


class Evaluation:
    """A model, the windows it is judged on, and which window borrows whose motion.

    Args:
        episodes: preprocessed as the model wants them.
        config: what is judged, and how.
        objects: by episode name; with them, errors inside objects that moved are kept too.
        extractors: networks to compare sets of pictures by.
        lpips: the network to compare frame by frame, or why there is none.
        beside: other models that are judged on the same windows: these are long enough for all of them.

    Raises:
        BadBag: no window of this length; or just one, so that there is no other motion.
        RobotMismatch, BadActions: episodes of another robot, or without the model's kind of actions.
        BadConfig: two extractors whose distances have one name.
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
        beside: Sequence[WorldModel] = (),
    ) -> None:
        self.world_model, self.episodes, self.config = world_model, episodes, config or EvaluationConfig()
        self.rows = rows_of(self.config)
        self.windows = EvaluationWindows(
            episodes,
            world_model.manifest,
            max(model.past_frames for model in (world_model, *beside)),
            max(self._future(model) for model in (world_model, *beside)),
            self.config.stride,
            self.config.max_windows,
        )
        height, width = episodes[0].frames.shape[1:3]
        self.features = Features(extractors, (self.config.num_frames, height, width))
        self.measures = Measures((height, width), structure=self.config.ssim, lpips=lpips)
        count = len(self.windows)
        batches = np.array_split(np.arange(count), -(-count // self.config.batch))
        self._batches = {f"{number:06d}": windows for number, windows in enumerate(batches)}
        self._tracks = None if objects is None else [objects[episode.name] for episode in episodes]
        self._donors = donors(self.windows, self.config.seed)
        self._evaluates_tokens = self.config.tokens and predicts_tokens(world_model)
        self._probed = set(evenly_spaced(self.config.sensitivity, count).tolist()) if self.config.sensitivity else set()

    def run(self, progress: Progress = lambda done, of: None) -> EvaluationResult:
        """Evaluate every condition on every window, in memory."""
        partial: dict[str, Numbers] = {}
        self.evaluate(partial, progress=progress)
        return self.result(partial)

    def evaluate(
        self, partial: PartialResults, *, rank: int = 0, ranks: int = 1, progress: Progress = lambda done, of: None
    ) -> None:
        """Evaluate the batches that `partial` does not contain yet, and store them there.

        Args:
            partial: the results so far.
            rank, ranks: this process takes every `ranks`-th batch. The batches are the same for any number of ranks.
            progress: called with (windows done, windows in all) of this rank.
        """
        mine = list(self._batches.items())[rank::ranks]
        total, done = sum(len(windows) for _, windows in mine), 0
        for name, windows in mine:
            if name not in partial:
                partial[name] = self._evaluated(windows)
            done += len(windows)
            progress(done, total)

    def is_complete(self, partial: PartialResults) -> bool:
        """Whether the batches of all ranks are evaluated."""
        return all(name in partial for name in self._batches)

    def result(self, partial: PartialResults) -> EvaluationResult:
        """The results of all windows, from all batches."""
        read = [without_features(partial[name]) for name in self._batches]
        numbers = {name: np.concatenate([part[name] for part in read]) for name in read[0]}
        still = np.array([has_still_camera(episode) for episode in self.episodes])[self.windows.episode]
        return EvaluationResult.of(
            numbers,
            rows=tuple(self.rows),
            horizons=self.config.horizons,
            manifest=self.world_model.manifest,
            episode_names=tuple(episode.name for episode in self.episodes),
            episode=self.windows.episode,
            start=self.windows.start,
            newest=self.windows.start + self.windows.past_frames - 1,
            still_camera=still,
            seed=self.config.seed,
            tokens=TokenScores.of(numbers, self.world_model.tokenizer.codebook_size)
            if self._evaluates_tokens
            else None,
            distances=self.features.distances(
                tuple(self.rows),
                (partial[name] for name in self._batches),
                windows=len(self.windows),
                seed=self.config.seed,
            ),
        )

    def batch(self, windows: Indices) -> Batch:
        """Encode what these windows see."""
        seen = self.windows.past_frames
        own = slice(seen - self.world_model.past_frames, seen + self._future(self.world_model))
        past, future = slice(own.start, seen), slice(own.stop - seen)
        frames, actions = self.windows.frames(windows), self.windows.actions(windows)
        motions = {
            "model": actions[:, seen:],
            "shuffled": self.windows.borrowed(windows, self._donors[np.asarray(windows)]),
            "zero": self.windows.held(windows),
            "reversed": self.windows.backwards(windows),
        }
        return Batch(
            world_model=self.world_model,
            config=self.config,
            seeds=[derived_seed(self.config.seed, int(window)) for window in windows],
            past=self.world_model.observe(frames[:, past], actions[:, past]),
            frames=frames[:, own],
            shown=frames[:, own] if self.config.truth == "camera" else self.world_model.reconstruct(frames[:, own]),
            motions={row: motion[:, future] for row, motion in motions.items()},
        )

    @property
    def networks(self) -> dict[str, str]:
        """{metric: name and sha256 of the network behind it}."""
        networks = {metric: e.identity for e in self.features.extractors for metric in (e.metric, e.kernel_metric)}
        lpips = self.measures.lpips
        return networks if lpips is None else {**networks, "LPIPS": lpips.identity}

    @property
    def unavailable(self) -> tuple[Unavailable, ...]:
        """What was asked for and these frames do not allow."""
        return (*self.features.unavailable, *self.measures.unavailable)

    def identity(self) -> dict[str, Any]:
        """Everything the numbers depend on, JSON-able: model, episodes, windows, settings, arithmetic."""
        return {
            "format": 2,
            "checkpoint": {"name": self.world_model.name, "sha256": self.world_model.sha256},
            "arithmetic": arithmetic(self.world_model.device, self.world_model.dtype),
            "episodes": {"count": len(self.episodes), "sha256": _digest(self.episodes)},
            "objects": self._tracks is not None,
            "networks": self.networks,
            "window": {"past": self.windows.past_frames, "future": self.windows.future_frames},
            "settings": self.config.plain(),
        }

    def _evaluated(self, windows: NDArray[np.int64]) -> Numbers:
        batch, ahead = self.batch(windows), self.config.num_frames
        truth, moved = batch.truth[:, :ahead], self._moved(windows)
        numbers = dict(self.features.of(None, truth))
        if moved is not None:
            numbers["moved_pixels"] = moved.sum(axis=(2, 3))
        for row, predict in self.rows.items():
            predicted = predict(batch)[:, :ahead]
            numbers[f"{row}/mse"] = frame_mse(predicted, truth)
            numbers.update(self.features.of(row, predicted))
            numbers.update(self.measures.of(row, predicted, truth))
            if moved is not None:
                numbers[f"{row}/moved"], _ = masked_mse(predicted, truth, moved)
        if self._evaluates_tokens:
            numbers.update(evaluate_tokens(batch))
        if self._probed:
            probes = [probe(batch, i) if w in self._probed else None for i, w in enumerate(windows.tolist())]
            nothing = np.full((2, self.world_model.manifest.dim), np.nan)
            numbers["probe"] = np.stack([nothing if one is None else np.stack(one) for one in probes])
        return numbers

    def _future(self, world_model: WorldModel) -> int:
        """Frames that are predicted: whole latents."""
        factor = world_model.tokenizer.temporal_factor
        return -(-self.config.num_frames // factor) * factor

    def _moved(self, windows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """[B, frames ahead, H, W]: pixels of objects that moved since the newest frame seen."""
        if self._tracks is None:
            return None
        newest = self.windows.start[windows] + self.windows.past_frames - 1
        pairs = [(self._tracks[e], int(n)) for e, n in zip(self.windows.episode[windows], newest, strict=True)]
        ahead = range(1, 1 + self.config.num_frames)
        return np.stack([[tracks.moved(n, n + h) for h in ahead] for tracks, n in pairs])


def _digest(episodes: Sequence[Episode]) -> str:
    """sha256 of all that is judged, read frame by frame."""
    digest = hashlib.sha256()
    for episode in episodes:
        digest.update(f"{episode.name} {episode.names} {episode.frames.shape}".encode())
        for values in (episode.stamps_ns, episode.segments, episode.states, episode.commands):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        for frame in episode.frames:
            digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()
