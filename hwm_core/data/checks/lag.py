"""Estimates how long each joint of a robot takes to follow its commands, from a recording."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Mean motion over the span below which a joint shows only noise.
_STILL = 1e-4
# Motion is the change over this many frames: over fewer it is mostly noise, over more its edges blur.
_SPAN = 5
# Correlation below which the best shift is arbitrary.
_LEAST_CORRELATION = 0.3
# A joint follows closely when its correlation is at least this share of the highest correlation.
_CLOSE = 0.9


@dataclass(frozen=True)
class JointLag:
    """Lag of one joint."""

    column: int
    frames: float  # by which the command leads the state; negative when it follows
    correlation: float  # of commanded and measured motion at that lag


@dataclass(frozen=True)
class Lag:
    """Lags of all joints that moved enough, at least one."""

    joints: tuple[JointLag, ...]

    @property
    def frames(self) -> float:
        """The median lag of the joints that follow their commands closely.

        A joint near rest shows mostly noise, and a finger that meets an object stops before its command. Both correlate
        less, and a median over them too would depend on their number.
        """
        least = _CLOSE * max(one.correlation for one in self.joints)
        return float(np.median([one.frames for one in self.joints if one.correlation >= least]))

    @property
    def fastest(self) -> JointLag:
        return min(self.joints, key=lambda one: one.frames)

    @property
    def slowest(self) -> JointLag:
        return max(self.joints, key=lambda one: one.frames)


def estimate_lag(
    states: NDArray[np.floating],
    commands: NDArray[np.floating],
    segments: NDArray[np.integer] | None = None,
    most: int = 15,
) -> Lag | None:
    """Find the shift of each joint at which commanded and measured motion correlate best.

    Args:
        states, commands: [F, A], the same joints; the command issued at each frame.
        segments: [F]; motion across a change is ignored.
        most: largest shift in either direction, frames.

    Returns:
        None when no joint moves, no joint follows its command, or the recording is too short.
    """
    if len(states) < 4 * most + _SPAN:
        return None
    together = np.ones(len(states) - _SPAN, dtype=bool) if segments is None else segments[_SPAN:] == segments[:-_SPAN]
    moved, commanded = (np.where(together[:, None], some[_SPAN:] - some[:-_SPAN], 0.0) for some in (states, commands))
    live = np.flatnonzero((np.abs(moved).mean(axis=0) > _STILL) & (np.abs(commanded).mean(axis=0) > _STILL))
    if len(live) == 0:
        return None
    shifts = np.arange(-most, most + 1)
    scores = np.stack([_correlations(moved[:, live], commanded[:, live], int(shift)) for shift in shifts])
    best = scores.argmax(axis=0)
    found = tuple(
        JointLag(int(column), float(shifts[peak] + _between(scores[:, joint], peak)), float(scores[peak, joint]))
        for joint, (column, peak) in enumerate(zip(live, best, strict=True))
        if scores[peak, joint] > _LEAST_CORRELATION
    )
    return Lag(found) if found else None


def _correlations(moved: NDArray, commanded: NDArray, shift: int) -> NDArray:
    """Correlation of commanded[t] with moved[t + shift], [A]."""
    count = len(moved) - abs(shift)
    later, sooner = moved[max(shift, 0) :][:count], commanded[max(-shift, 0) :][:count]
    later, sooner = later - later.mean(axis=0), sooner - sooner.mean(axis=0)
    scale = np.sqrt((later**2).sum(axis=0) * (sooner**2).sum(axis=0))
    return (later * sooner).sum(axis=0) / np.maximum(scale, 1e-12)


def _between(scores: NDArray, best: int) -> float:
    """Offset of the peak from `best`, by the parabola through three samples."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    return float(np.clip(0.5 * (left - right) / min(left - 2 * middle + right, -1e-12), -0.5, 0.5))
