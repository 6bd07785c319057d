"""The joint-limit check: recorded values against the limits of a robot's description."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadActions

# Share of the range between the limits by which values may lie beyond them: sensors read a little beyond the ends.
_TOLERANCE = 0.1


def share_beyond(values: NDArray[np.floating], lower: float, upper: float) -> float:
    """Share of the values [N] that lie clearly beyond the limits."""
    slack = _TOLERANCE * (upper - lower)
    return float(((values < lower - slack) | (values > upper + slack)).mean())


def limits_or_extremes(
    names: Sequence[str], columns: Sequence[NDArray[np.float64]], given: Sequence[tuple[float, float] | None]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lower and upper limits of each joint: the given ones, or the extremes of its values.

    Raises:
        BadActions: most values of a joint lie beyond its limits, as when degrees are recorded for radians.
    """
    limits = [
        (float(column.min()), float(column.max())) if pair is None else (float(pair[0]), float(pair[1]))
        for column, pair in zip(columns, given, strict=True)
    ]
    for name, column, (lower, upper) in zip(names, columns, limits, strict=True):
        if share_beyond(column, lower, upper) > 0.5:
            raise BadActions(
                f"Training values of {name}",
                expected=f"values between its limits, {lower:g} and {upper:g}",
                got=f"{column.min():g} to {column.max():g}",
                remedy="Correct the limits in the robot's description: they are in the units that were recorded.",
            )
    return tuple(lower for lower, _ in limits), tuple(upper for _, upper in limits)
