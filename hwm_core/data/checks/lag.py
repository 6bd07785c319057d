"""How long a robot takes to follow its commands, from what was recorded; every joint has a lag of its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Joints that move less than this over the span, on average, tell noise and no lag.
_STILL = 1e-4
# Motion is the change over so many frames: over one of them it is mostly noise, over many it has lost its edges.
_SPAN = 5
# Below this the best shift is one of many.
_TELLING = 0.3
# Share of the highest correlation: from here on a joint follows closely.
_CLOSE = 0.9


@dataclass(frozen=True)
class JointLag:
    """Of one joint."""

    column: int
    frames: float  # by which the command leads the state; negative: it follows
    correlation: float  # of the two motions at that lag


@dataclass(frozen=True)
class Lag:
    """Of all joints that moved enough to tell; at least one."""

    joints: tuple[JointLag, ...]

    @property
    def frames(self) -> float:
        """The median of the joints that follow their commands about as closely as the closest one does.

        What a joint near rest shows is mostly noise, and a finger that meets an object stops before its command does:
        both follow less closely, and a median over them too would depend on how many there are of each.
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
    """The shift, of each joint, at which commanded and measured motion correlate best.

    Args:
        states, commands: [F, A] the same joints; the command is the one issued at the frame.
        segments: [F]; no motion is taken across a change.
        most: frames, the largest shift tried to either side.

    Returns:
        None where no joint moves, none follows, or the recording is too short.
    """
    if len(states) < 4 * most + _SPAN:
        return None
    together = np.ones(len(states) - _SPAN, dtype=bool) if segments is None else segments[_SPAN:] == segments[:-_SPAN]
    moved, asked = (np.where(together[:, None], some[_SPAN:] - some[:-_SPAN], 0.0) for some in (states, commands))
    live = np.flatnonzero((np.abs(moved).mean(axis=0) > _STILL) & (np.abs(asked).mean(axis=0) > _STILL))
    if len(live) == 0:
        return None
    shifts = np.arange(-most, most + 1)
    scores = np.stack([_correlations(moved[:, live], asked[:, live], int(shift)) for shift in shifts])
    best = scores.argmax(axis=0)
    found = tuple(
        JointLag(int(column), float(shifts[peak] + _between(scores[:, joint], peak)), float(scores[peak, joint]))
        for joint, (column, peak) in enumerate(zip(live, best, strict=True))
        if scores[peak, joint] > _TELLING
    )
    return Lag(found) if found else None


def _correlations(moved: NDArray, asked: NDArray, shift: int) -> NDArray:
    """Of asked[t] with moved[t + shift], [A]."""
    count = len(moved) - abs(shift)
    later, sooner = moved[max(shift, 0) :][:count], asked[max(-shift, 0) :][:count]
    later, sooner = later - later.mean(axis=0), sooner - sooner.mean(axis=0)
    scale = np.sqrt((later**2).sum(axis=0) * (sooner**2).sum(axis=0))
    return (later * sooner).sum(axis=0) / np.maximum(scale, 1e-12)


def _between(scores: NDArray, best: int) -> float:
    """Where between the samples the peak lies, by the parabola through three of them."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    return float(np.clip(0.5 * (left - right) / min(left - 2 * middle + right, -1e-12), -0.5, 0.5))
