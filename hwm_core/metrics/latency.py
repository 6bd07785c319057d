"""Collects durations by stage, and computes their percentiles."""

from collections import defaultdict, deque

import numpy as np


class Latencies:
    """Collects durations by stage. It keeps the newest `capacity` of each stage, so that a node can run for weeks."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=capacity))

    def add(self, stage: str, seconds: float) -> None:
        self._seconds[stage].append(seconds)

    def summary(self) -> dict[str, dict[str, float]]:
        """{stage: {"p50", "p95", "p99"}} in milliseconds, in the order in which the stages first occurred."""
        return {stage: percentiles_ms(np.asarray(values)) for stage, values in self._seconds.items()}


def percentiles_ms(seconds: np.ndarray) -> dict[str, float]:
    """{"p50", "p95", "p99"} in milliseconds of durations [N >= 1] in seconds."""
    p50, p95, p99 = 1e3 * np.percentile(seconds, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}
