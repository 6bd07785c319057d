"""Every row on every window, a batch at a time, keeping errors and no pictures."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadConfig
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import Errors, EvaluationResult
from hwm_core.evaluation.rows import Batch, rows_of
from hwm_core.evaluation.windows import EvaluationWindows, Indices, has_still_camera, lenders
from hwm_core.metrics.psnr import frame_mse, masked_mse
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.draws import derived_seed
from hwm_core.types import Episode
from hwm_core.world_model import WorldModel


class Evaluation:
    """A model, the windows it is judged on, and which window borrows whose motion.

    Args:
        episodes: preprocessed as the model wants them.
        horizons: frames ahead; beyond the model's own future it is rolled on.
        stride: frames between the starts of windows; every horizon has the same starts.
        sampling: how futures are drawn; by default the mean future.
        samples: a number adds rows: a single sample, and the mean of so many.
        drawing: how these are drawn; by default as `sampling` says.
        seed: of these draws, a stream for every window, and of the borrowing.

    Raises:
        BadConfig: a horizon below 1.
        BadBag: no window of this length; or just one, so that there is no other motion.
        RobotMismatch, BadActions: episodes of another robot, or without the model's kind of actions.
    """

    def __init__(
        self,
        world_model: WorldModel,
        episodes: Sequence[Episode],
        *,
        horizons: Sequence[int] = (8, 16, 24),
        stride: int = 5,
        sampling: Sampling | None = None,
        samples: int | None = None,
        drawing: Sampling | None = None,
        seed: int = 0,
    ) -> None:
        if not horizons or min(horizons) < 1:
            raise BadConfig("horizons", expected="frames ahead, 1 or more", got=list(horizons), remedy="Correct them.")
        factor = world_model.tokenizer.temporal_factor
        future = -(-max(horizons) // factor) * factor  # whole latents
        self.world_model, self.episodes, self.horizons = world_model, episodes, tuple(horizons)
        self.sampling, self.seed = sampling or Sampling(), seed
        self.samples, self.drawing = samples, drawing or self.sampling
        self.rows = rows_of(samples)
        self.windows = EvaluationWindows(episodes, world_model.manifest, world_model.past_frames, future, stride)
        self._still = np.array([has_still_camera(episode) for episode in episodes])[self.windows.episode]
        self._lenders = lenders(self.windows, seed)

    def batch(self, windows: Indices) -> Batch:
        """Encode what these windows see."""
        seen = self.windows.past_frames
        frames, actions = self.windows.frames(windows), self.windows.actions(windows)
        return Batch(
            world_model=self.world_model,
            sampling=self.sampling,
            drawing=self.drawing,
            samples=self.samples or 1,
            seeds=[derived_seed(self.seed, int(window)) for window in windows],
            past=self.world_model.observe_many(frames[:, :seen], actions[:, :seen]),
            frames=frames,
            actions=actions[:, seen:],
            borrowed=self.windows.borrowed(windows, self._lenders[np.asarray(windows)]),
        )

    def run(
        self,
        *,
        batch: int = 16,
        objects: Mapping[str, ObjectTracks] | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> EvaluationResult:
        """Judge every row on every window.

        Args:
            batch: windows at a time; the numbers do not depend on it but for rounding.
            objects: by episode name; with them, errors inside objects that moved are kept too.
            progress: hears (windows done, of how many).
        """
        ahead, total = np.asarray(self.horizons) - 1, len(self.windows)
        moved = None if objects is None else self._moved(objects)
        errors = {row: np.empty((total, len(ahead))) for row in self.rows}
        moved_errors = {row: np.empty((total, len(ahead))) for row in self.rows}
        for some in np.array_split(np.arange(total), -(-total // batch)):
            prepared = self.batch(some)
            truth = prepared.truth[:, ahead]
            for row, predict in self.rows.items():
                predicted = predict(prepared)[:, ahead]
                errors[row][some] = frame_mse(predicted, truth)
                if moved is not None:
                    moved_errors[row][some], _ = masked_mse(predicted, truth, moved[some])
            progress(int(some[-1]) + 1, total)
        return EvaluationResult(
            horizons=self.horizons,
            rows={row: Errors(errors[row], None if moved is None else moved_errors[row]) for row in self.rows},
            episode_names=tuple(episode.name for episode in self.episodes),
            episode=self.windows.episode,
            start=self.windows.start,
            still_camera=self._still,
            moved_pixels=None if moved is None else moved.sum(axis=(2, 3)),
        )

    def _moved(self, objects: Mapping[str, ObjectTracks]) -> NDArray[np.bool_]:
        """[W, horizons, H, W]: pixels of objects that moved since the newest frame seen."""
        tracks = [objects[episode.name] for episode in self.episodes]
        newest = self.windows.start + self.windows.past_frames - 1
        pairs = zip(self.windows.episode, newest, strict=True)
        return np.stack([[tracks[e].moved(int(n), int(n) + h) for h in self.horizons] for e, n in pairs])
