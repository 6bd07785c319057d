"""Joint values that look wrong: in another unit than they should be, wrapped, jumping, beyond their limits."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.joint_limits import share_beyond
from hwm_core.data.robot.manifest import CONSTANT_STD
from hwm_core.errors import BadActions

# No joint turns further than this either way, cables being what they are; degrees do.
_MOST_RADIANS = 2.2 * np.pi
# Scales in which closures are published by hands whose driver does not convert them.
_CLOSURE_SCALES = (100.0, 255.0, 1000.0)
_CLOSURES = ("hand", "finger", "grip", "closure", "thumb", "pinky")
_LEAST_STEP = 0.05  # a smaller jump (rad, m, closure) is of no matter


def value_warnings(
    name: str,
    values: NDArray[np.floating],
    unit: str | None = None,
    limits: tuple[float, float] | None = None,
    takes: NDArray[np.integer] | None = None,
) -> list[str]:
    """What is doubtful in the values [N] of one dimension, a clause each.

    Args:
        unit: as declared; None: unknown, guessed by the name.
        limits: as declared.
        takes: numbers [N] of the takes that the values are of; from one to the next no step is looked at.
    """
    finite = np.isfinite(values)
    values = values[finite]
    if len(values) == 0:
        return ["no values"]
    low, high = float(values.min()), float(values.max())
    found = []
    if values.std() < CONSTANT_STD:
        found.append(f"constant at {np.median(values):.4g}")
    if warning := unit_warning(values, unit) if unit else undeclared_unit_warning(name, values):
        found.append(warning)
    steps = np.abs(np.diff(values))
    if takes is not None:
        steps = steps[np.diff(takes[finite]) == 0]
    if len(steps) and unit in ("rad", None) and (np.abs(steps - 2 * np.pi) < 0.2).any():
        found.append("steps of a full turn: wraps around")
    elif len(steps) > 20:
        usual, largest = float(np.quantile(steps, 0.99)), float(steps.max())
        if largest > max(_LEAST_STEP, 0.5 * (high - low), 20 * usual) and usual > 0:
            found.append(f"a single step of {largest:.3g}")
    if limits is not None and (share := share_beyond(values, *limits)):
        found.append(f"{share:.1%} beyond its limits {limits[0]:g} to {limits[1]:g}")
    return found


def require_unit(values: NDArray[np.floating], unit: str, whose: str, declared_by: str) -> None:
    """Raises BadActions where the values cannot be of the unit declared."""
    if warning := unit_warning(values, unit):
        raise BadActions(
            whose,
            expected=f"values in {unit}, as {declared_by} declares",
            got=warning,
            remedy="Convert the values where they are published, or declare their unit.",
        )


def undeclared_unit_warning(name: str, values: NDArray[np.floating]) -> str:
    """Why the values are not in radians, or of what seems a hand no closure; empty where they may be."""
    reach = float(np.abs(values).max(initial=0))
    closure = reach > _MOST_RADIANS and any(word in name.lower() for word in _CLOSURES)
    return unit_warning(values, "unit" if closure else "rad")


def unit_warning(values: NDArray[np.floating], unit: str) -> str:
    """Why the values cannot be of that unit; empty where they can."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return ""
    low, high = float(values.min()), float(values.max())
    told = f"{low:.4g} to {high:.4g}"
    if unit == "unit" and (high > 1.5 or low < -0.5):
        scale = next((scale for scale in _CLOSURE_SCALES if low >= -0.05 * scale and high <= 1.05 * scale), None)
        return f"{told}, not 0 to 1" + (f": of {scale:g}?" if scale else "")
    if unit == "rad" and max(-low, high) > _MOST_RADIANS:
        return f"{told}: degrees for radians?"
    if unit == "deg" and values.std() >= CONSTANT_STD and max(-low, high) < np.pi:
        return f"{told}: radians for degrees?"
    return ""
