"""Percentiles of measured times, as results hold them."""

from collections.abc import Sequence

import numpy as np

from hwm_core.metrics.latency import percentiles_ms


def milliseconds(seconds: Sequence[float], digits: int = 2) -> dict[str, float] | None:
    """Rounded percentiles in milliseconds; None without a value."""
    if not seconds:
        return None
    return {name: round(value, digits) for name, value in percentiles_ms(np.asarray(seconds)).items()}
