"""Rate, jitter, gaps and clock jumps of one channel of a recording."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.clock import MAX_GAP_PERIODS


@dataclass(frozen=True)
class Rate:
    """Timing of the messages of one channel."""

    messages: int
    hz: float  # from the median interval; 0 when there are too few messages
    jitter_ms: float  # 95th percentile of the deviation from the median interval
    gaps: tuple[tuple[float, float], ...]  # (seconds after the start, length in seconds), longer than 3.5 intervals
    jumps: int  # backward jumps of the clock


def measure_rate(stamps_ns: NDArray[np.int64]) -> Rate:
    """Measure the timing of stamps [N] in order of arrival."""
    intervals = np.diff(stamps_ns) / 1e9
    forward = intervals[intervals > 0]
    if len(forward) == 0:
        return Rate(len(stamps_ns), 0.0, 0.0, (), 0)
    median = float(np.median(forward))
    long = np.flatnonzero(intervals > MAX_GAP_PERIODS * median)
    return Rate(
        messages=len(stamps_ns),
        hz=1 / median,
        jitter_ms=1000 * float(np.quantile(np.abs(forward - median), 0.95)),
        gaps=tuple((float((stamps_ns[i] - stamps_ns[0]) / 1e9), float(intervals[i])) for i in long),
        jumps=int((intervals < -MAX_GAP_PERIODS * median).sum()),
    )
