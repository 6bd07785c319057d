"""Finds joints with several publishers that contradict each other: their values belong to two tracks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.joints import JointTrack, apart, differs

# A jump is this many times the usual step, and a jump back returns to within this share of it.
_USUAL_STEPS, _RETURN = 5.0, 0.25
# A second publisher is at most this many times slower or in bursts of this many messages.
_MOST_BETWEEN = 8
# Contradictions that occur less often are glitches of single messages. (Of a real hand's fingers, 1 % of the values
# jump and jump back.)
_LEAST, _LEAST_SHARE = 5, 0.04
_PART = 1000  # messages in which contradictions are counted together
_MOST_COMPARED = 5000  # messages of one publisher that are compared with another one
# Publishers that agree may stamp the same value this much earlier or later.
_DELAYS_NS = np.array([-100, -50, -20, 0, 20, 50, 100]) * 1_000_000


def count_returns(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """How often each joint jumps and jumps back within a few messages, [A] for values [N, A] in order of time.

    Only parts of a recording in which it is frequent count: a second publisher may run for a short time.
    """
    found = np.zeros(values.shape[1], dtype=np.int64)
    for part in np.array_split(values, max(1, len(values) // _PART)):
        if len(part) >= 4 * _MOST_BETWEEN:
            counts = _returns_in(part)
            found += np.where(counts >= max(_LEAST, _LEAST_SHARE * len(part)), counts, 0)
    return found


def _returns_in(values: NDArray[np.float64]) -> NDArray[np.int64]:
    least = apart(np.abs(values).max(axis=0))
    values = _without_trend(values)
    # The usual step of one track: with several tracks, of the spacing at which messages are of the same track.
    spacings = range(1, _MOST_BETWEEN + 1)
    step = np.min([np.median(np.abs(values[n:] - values[:-n]), axis=0) for n in spacings], axis=0)
    jumps = np.abs(np.diff(values, axis=0)) > np.maximum(least, _USUAL_STEPS * step)
    found = np.zeros(values.shape[1], dtype=np.int64)
    for joint in np.flatnonzero(jumps.sum(axis=0) >= _LEAST):
        column, at = values[:, joint], np.flatnonzero(jumps[:, joint])
        first, back = at[:-1], at[1:]
        size = np.abs(column[first + 1] - column[first])
        returned = np.abs(column[back + 1] - column[first]) < _RETURN * size
        found[joint] = int((returned & (back - first <= _MOST_BETWEEN)).sum())
    return found


def _without_trend(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values without their mean over the messages around, so that a fast motion has small steps. Without the ends."""
    window = 2 * _MOST_BETWEEN + 1
    sums = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0)
    return values[_MOST_BETWEEN:-_MOST_BETWEEN] - (sums[window:] - sums[:-window]) / window


def contested_joints(names: Sequence[str], tracks: Sequence[JointTrack]) -> dict[str, str]:
    """{joint: how its values contradict each other}.

    Args:
        names: joints that all `tracks` have.
        tracks: the messages of each publisher, or of each set of names.
    """
    together = JointTrack.joined(tracks, names)
    entries = sum(map(len, tracks))
    returns = count_returns(together.values)
    found = {
        name: f"jumps between two tracks, {count} times in {entries} messages"
        for name, count in zip(names, returns, strict=True)
        if count
    }
    for one in tracks:
        same_stamp = one.contradictions[[one.names.index(name) for name in names]]
        for name, count in zip(names, same_stamp, strict=True):
            if count >= max(_LEAST, _LEAST_SHARE * len(one)):
                found.setdefault(name, f"has two values at the same stamp, {count} times in {entries} messages")
        for other in tracks:
            if other is not one:
                compared, outside = _disagreements(names, one, other)
                for name, count in zip(names, outside, strict=True):
                    if count >= max(_LEAST, compared / 2):
                        found.setdefault(name, f"differs in {count} of {compared} messages of one publisher")
    return found


def _disagreements(names: Sequence[str], one: JointTrack, other: JointTrack) -> tuple[int, NDArray[np.int64]]:
    """How many messages of `one` can be compared with `other`, and how many differ from it for each joint, [A]."""
    compared = slice(None, None, max(1, len(one) // _MOST_COMPARED))
    stamps = one.stamps_ns[compared, None] + _DELAYS_NS
    covered = np.stack([other.covers(column) for column in stamps.T], axis=1).all(axis=1)
    if not covered.any():
        return 0, np.zeros(len(names), dtype=np.int64)
    columns = [other.names.index(name) for name in names]
    near = np.stack([other.at(column)[:, columns] for column in stamps[covered].T])
    mine = one.values_of(names)[compared][covered]
    nearest = np.clip(mine, near.min(axis=0), near.max(axis=0))
    return int(covered.sum()), differs(mine, nearest).sum(axis=0)
