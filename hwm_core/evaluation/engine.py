"""Every row on every window, a batch at a time, keeping errors and no pictures."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadConfig
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import Errors, EvaluationResult
from hwm_core.evaluation.rows import ROWS, Batch
from hwm_core.evaluation.windows import EvaluationWindows, has_still_camera, lenders
from hwm_core.metrics.psnr import frame_mse, masked_mse
from hwm_core.sampling.config import Sampling
from hwm_core.types import Episode
from hwm_core.world_model import WorldModel


def evaluate(
    world_model: WorldModel,
    episodes: Sequence[Episode],
    *,
    horizons: Sequence[int] = (8, 16, 24),
    stride: int = 5,
    sampling: Sampling | None = None,
    seed: int = 0,
    batch: int = 16,
    objects: Mapping[str, ObjectTracks] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> EvaluationResult:
    """Errors of the frames exactly h ahead, of the model and of what it is compared with (`rows.ROWS`).

    Args:
        horizons: frames ahead; beyond the model's own future it is rolled on.
        stride: frames between the starts of windows; every horizon has the same starts.
        sampling: how the model's tokens are drawn; by default as for looking.
        seed: of these draws, and of which window borrows whose motion.
        batch: windows at a time; of greedy draws the numbers do not depend on it but for rounding.
        objects: by episode name; with them, errors inside objects that moved are kept too.
        progress: hears (windows done, of how many).

    Raises:
        BadConfig: a horizon below 1.
        BadBag: no window of this length; or just one, so that there is no other motion.
        RobotMismatch, BadActions: episodes of another robot, or without the model's kind of actions.
    """
    if not horizons or min(horizons) < 1:
        raise BadConfig("horizons", expected="frames ahead, 1 or more", got=list(horizons), remedy="Correct the list.")
    future = _whole_latents(max(horizons), world_model)
    windows = EvaluationWindows(episodes, world_model.manifest, world_model.past_frames, future, stride)
    still = np.array([has_still_camera(episode) for episode in episodes])
    lent = lenders(windows, still[windows.episode], seed)
    moved = None if objects is None else _moved(windows, episodes, objects, horizons)
    errors = {row: np.empty((len(windows), len(horizons))) for row in ROWS}
    moved_errors = {row: np.empty_like(values) for row, values in errors.items()}
    for some in np.array_split(np.arange(len(windows)), -(-len(windows) // batch)):
        frames, actions = windows.frames(some), windows.actions(some)
        past = world_model.observe_many(frames[:, : windows.past_frames], actions[:, : windows.past_frames])
        borrowed = windows.borrowed(some, lent[some])
        taken = actions[:, windows.past_frames :]
        prepared = Batch(world_model, sampling or Sampling(), seed, past, frames, taken, borrowed)
        ahead = np.asarray(horizons) - 1
        truth = frames[:, windows.past_frames + ahead]
        for row, predict in ROWS.items():
            predicted = predict(prepared)[:, ahead]
            errors[row][some] = frame_mse(predicted, truth)
            if moved is not None:
                moved_errors[row][some], _ = masked_mse(predicted, truth, moved[some])
        progress(int(some[-1]) + 1, len(windows))
    return EvaluationResult(
        horizons=tuple(horizons),
        rows={row: Errors(errors[row], None if moved is None else moved_errors[row]) for row in ROWS},
        episode_names=tuple(episode.name for episode in episodes),
        episode=windows.episode,
        start=windows.start,
        still_camera=still[windows.episode],
        moved_pixels=None if moved is None else moved.sum(axis=(2, 3)),
    )


def _whole_latents(frames: int, world_model: WorldModel) -> int:
    factor = world_model.tokenizer.temporal_factor
    return -(-frames // factor) * factor


def _moved(
    windows: EvaluationWindows,
    episodes: Sequence[Episode],
    objects: Mapping[str, ObjectTracks],
    horizons: Sequence[int],
) -> NDArray[np.bool_]:
    """[W, horizons, H, W]: pixels of objects that moved since the newest frame seen."""
    tracks = [objects[episode.name] for episode in episodes]
    return np.stack(
        [
            [tracks[windows.episode[w]].moved(windows.newest(w), windows.newest(w) + h) for h in horizons]
            for w in range(len(windows))
        ]
    )
