"""The joint-limit check: recorded values against the limits of a robot's description."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.units import ORDINARY
from hwm_core.errors import BadActions

LARGEST_VALUE = 1e6
"""No joint gets this far (rad, m): a larger value is a fault, and squares of it leave the range of float32."""

# Share of the range between the limits by which values may lie beyond them: sensors read a little beyond the ends.
_TOLERANCE = 0.1
# Limits and values that differ by this factor have different units: a radian has 57 degrees, a metre 1000 mm.
_MOST_RATIO = 20.0


def share_beyond(values: NDArray[np.floating], lower: float, upper: float) -> float:
    """Share of the values [N] that lie clearly beyond the limits."""
    slack = _TOLERANCE * (upper - lower)
    return float(((values < lower - slack) | (values > upper + slack)).mean())


def limits_fault(values: NDArray[np.floating], unit: str, lower: float, upper: float) -> str:
    """Why limits cannot belong to the values [N] that were seen; empty when they can. Limits bound a planner."""
    if len(values) == 0:
        return ""
    low, high = float(values.min()), float(values.max())
    seen = f"{low:.4g} to {high:.4g}"
    if share_beyond(values, lower, upper) > 0.5:
        return f"most values are beyond them, {seen}"
    if high - low > _MOST_RATIO * (upper - lower):
        return f"values of {seen} are more than {_MOST_RATIO:g} times as wide"
    furthest, reached = max(abs(lower), abs(upper)), max(abs(low), abs(high))
    if furthest > max(ORDINARY.get(unit, np.inf), _MOST_RATIO * reached):
        return f"values of {seen} are more than {_MOST_RATIO:g} times smaller"
    return ""


def limits_or_extremes(
    names: Sequence[str],
    columns: Sequence[NDArray[np.float64]],
    given: Sequence[tuple[float, float] | None],
    units: Sequence[str],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lower and upper limits of each joint: the given ones, or the extremes of its values.

    Raises:
        BadActions: limits cannot belong to the values, as when degrees are recorded for radians.
    """
    limits = [
        (float(column.min()), float(column.max())) if pair is None else (float(pair[0]), float(pair[1]))
        for column, pair in zip(columns, given, strict=True)
    ]
    for name, column, pair, unit in zip(names, columns, given, units, strict=True):
        if pair is not None and (fault := limits_fault(column, unit, *pair)):
            raise BadActions(
                f"Training values of {name}",
                expected=f"values between its limits, {pair[0]:g} and {pair[1]:g} {unit}, and of their size",
                got=fault,
                remedy="Correct the limits in the robot's description: they are in the units that were recorded.",
            )
    return tuple(lower for lower, _ in limits), tuple(upper for _, upper in limits)
