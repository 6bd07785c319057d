"""`surprise.json` beside a checkpoint: how far its predictions are off on validation data."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from hwm_core.config import Config
from hwm_core.data.episodes.windows import evenly_spaced, window_starts
from hwm_core.errors import BadBag, BadCheckpoint
from hwm_core.io.atomic import write_json
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.model import LiveModel
from hwm_core.live.surprise import SurpriseMonitor
from hwm_core.types import Episode

NAME = "surprise.json"


class MeasuredSurprise(Config):
    """Errors of one latent on validation data."""

    checkpoint: str = Field(description="sha256 of the checkpoint")
    windows: int = Field(ge=1, description="latents that were predicted")
    error: float = Field(gt=0, description="median of their mean squared differences")
    p95: float = Field(gt=0, description="95th percentile")


def measure_surprise(live: LiveModel, episodes: Sequence[Episode], windows: int) -> MeasuredSurprise:
    """Predict one latent from evenly spaced places of held-out episodes.

    Args:
        live: the model, with the sampling that the node scores with.
        episodes: of the checkpoint's robot and preprocessing.
        windows: most of these places.

    Raises:
        BadBag: no episode is long enough.
        RobotMismatch, BadActions: an episode lacks joints or actions.
    """
    model, monitor = live.world_model, SurpriseMonitor(live)
    length = model.past_frames + monitor.frames
    places = [(one, start) for one, episode in enumerate(episodes) for start in window_starts(episode.segments, length)]
    if not places:
        raise BadBag(
            "Validation episodes",
            expected=f"a segment of {length} frames",
            got="none",
            remedy="Prepare longer recordings.",
        )
    actions = [model.manifest.actions_of(episode) for episode in episodes]
    errors = []
    for place in evenly_spaced(windows, len(places)):
        number, start = places[place]
        for first in (start, start + monitor.frames):
            part = slice(first, first + model.past_frames)
            # Stamps of their own for each place: neighbouring places must not be taken for neighbours in time.
            stamps = (1000 * (length + int(place) * 2 * length) + np.arange(first, first + model.past_frames)) * 1000
            found = monitor.compare(
                ContextWindow(np.asarray(episodes[number].frames[part]), actions[number][part], stamps)
            )
        assert found is not None, "the second window is one latent later"
        errors.append(found.error)
    median, p95 = np.percentile(errors, [50, 95])
    return MeasuredSurprise(checkpoint=model.sha256, windows=len(errors), error=float(median), p95=float(p95))


def write_surprise(folder: Path, measured: MeasuredSurprise) -> Path:
    """Write the file beside a checkpoint; returns its path."""
    write_json(folder / NAME, measured.plain())
    return folder / NAME


def read_surprise(folder: Path, sha256: str) -> MeasuredSurprise | None:
    """The file beside a checkpoint; None without one.

    Raises:
        BadCheckpoint: the file is damaged, or of another checkpoint.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        measured = MeasuredSurprise.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, ValidationError, UnicodeDecodeError) as error:
        got = " ".join(str(error).split())
        raise BadCheckpoint(str(path), expected="what hwm measure-surprise writes", got=got, remedy=_AGAIN) from None
    if measured.checkpoint != sha256:
        raise BadCheckpoint(
            str(path), expected=f"the errors of checkpoint {sha256[:12]}", got=measured.checkpoint[:12], remedy=_AGAIN
        )
    return measured


_AGAIN = "Run `hwm measure-surprise` again, or remove the file."
