"""Surprise: how far what came differs from what the model had predicted for the actions that were taken."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from hwm_core.clips import hold_last
from hwm_core.config import Config
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.model import LiveModel
from hwm_core.world_model.past import Past

_LEARNED_FROM, _LEARNED_AT_LEAST = 200, 10  # comparisons whose median is the expected error of an unmeasured checkpoint


class SurpriseConfig(Config):
    """What is done about surprises."""

    threshold: float = Field(
        default=4.0,
        gt=0.0,
        le=1e6,
        description="ratio of the error to the expected error above which a latent is a surprise",
    )
    latents: int = Field(default=2, ge=1, le=1000, description="surprises in a row until the node warns")
    stop: bool = Field(
        default=False, description="a surprise makes the context not ready (SURPRISED), so that a planner stops"
    )


@dataclass(frozen=True)
class Surprise:
    """One latent that was predicted, and then seen."""

    predicted_from_ns: int  # newest frame that the prediction knew
    stamp_ns: int  # newest frame of the latent
    error: float  # mean squared difference of latents
    expected: float  # 0: unknown

    @property
    def ratio(self) -> float:
        """Error by expected error; 0: unknown; infinity where the error is not finite."""
        if not np.isfinite(self.error):
            return float("inf")
        return self.error / self.expected if self.expected > 0 else 0.0


class SurpriseMonitor:
    """Predicts the newest latent from the frames before it and the actions since, and compares. One thread.

    Args:
        live: predicts and encodes.
        expected: the error on validation data (see `surprise_file`). 0: unknown; then it is the median of the errors
            seen so far, and only a change is a surprise.
    """

    def __init__(self, live: LiveModel, expected: float = 0.0) -> None:
        self._live = live
        self._frames = live.world_model.model.config.temporal_factor
        self._measured = expected
        self._seen: deque[float] = deque(maxlen=_LEARNED_FROM)
        self._before: tuple[ContextWindow, Past] | None = None

    @property
    def frames(self) -> int:
        """Frames of a latent: `compare` expects a window this many frames after the one before."""
        return self._frames

    def compare(self, window: ContextWindow) -> Surprise | None:
        """Compare the newest latent of a window with its prediction from the window before.

        Returns:
            None when the window before does not end one latent (`frames`) earlier, and for the first window.
        """
        past = self._live.observe(window)
        before, self._before = self._before, (window, past)
        if before is None or window.stamps_ns[-1 - self._frames] != before[0].stamp_ns:
            return None
        error = self._error(before[1], window.actions[-self._frames :], past)
        expected = self._measured
        if not expected and len(self._seen) >= _LEARNED_AT_LEAST:
            expected = float(np.median(self._seen))
        if np.isfinite(error):
            self._seen.append(error)
        return Surprise(before[0].stamp_ns, window.stamp_ns, error, expected)

    def _error(self, before: Past, actions: NDArray[np.float32], after: Past) -> float:
        """Mean squared difference of the newest latent of `after` and its prediction for actions [F, A]."""
        model = self._live.world_model
        future = hold_last(torch.as_tensor(actions[None], device=model.device), model.future_frames)
        predicted = self._live.dynamics.rollout(before, future).latents[0, 0]
        return float((predicted - after.latents[0, -1]).square().mean())


class SurpriseAlarm:
    """Whether the newest latents in a row were surprises.

    Args:
        config: threshold and number of latents.
    """

    def __init__(self, config: SurpriseConfig) -> None:
        self._config, self._in_a_row = config, 0
        self.newest: Surprise | None = None  # of the comparisons since the start or `reset`

    def add(self, surprise: Surprise) -> bool:
        """Add one comparison; returns `raised`."""
        self.newest = surprise
        self._in_a_row = self._in_a_row + 1 if surprise.ratio > self._config.threshold else 0
        return self.raised

    def reset(self) -> None:
        """The context starts again."""
        self._in_a_row, self.newest = 0, None

    @property
    def raised(self) -> bool:
        """Whether enough latents in a row were surprises."""
        return self._in_a_row >= self._config.latents
