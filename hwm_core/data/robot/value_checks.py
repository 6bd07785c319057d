"""Warnings about suspicious joint values: wrong unit, wrap-around, jumps, values beyond the limits."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.joint_limits import limits_fault, share_beyond
from hwm_core.data.robot.manifest import CONSTANT_STD
from hwm_core.data.robot.units import MOST_RADIANS
from hwm_core.errors import BadActions

# Full scales of hand drivers that do not convert closures to 0..1.
_CLOSURE_SCALES = (100.0, 255.0, 1000.0)
_CLOSURE_NAMES = ("hand", "finger", "grip", "closure", "thumb", "pinky")
_LEAST_STEP = 0.05  # smaller jumps (rad, m, closure) are not reported


def value_warnings(
    name: str,
    values: NDArray[np.floating],
    unit: str | None = None,
    limits: tuple[float, float] | None = None,
    takes: NDArray[np.integer] | None = None,
) -> list[str]:
    """Warnings about the values of one joint, a clause each.

    Args:
        name: name of the joint.
        values: [N]; values that are not finite are ignored.
        unit: declared unit; None guesses it from the name.
        limits: declared lower and upper limit.
        takes: take number of each value, [N]; steps between takes are ignored.
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
    if limits is not None:
        if share := share_beyond(values, *limits):
            found.append(f"{share:.1%} beyond its limits {limits[0]:g} to {limits[1]:g}")
        if fault := limits_fault(values, unit or "rad", *limits):
            found.append(f"limits {limits[0]:g} to {limits[1]:g} are out of reason: {fault}")
    return found


def require_unit(values: NDArray[np.floating], unit: str, whose: str, declared_by: str) -> None:
    """Raises BadActions when the values cannot be in the declared unit."""
    if warning := unit_warning(values, unit):
        raise BadActions(
            whose,
            expected=f"values in {unit}, as {declared_by} declares",
            got=warning,
            remedy="Convert the values before they are published, or declare their unit.",
        )


def undeclared_unit_warning(name: str, values: NDArray[np.floating]) -> str:
    """Why values of an undeclared unit are neither radians nor closures of a hand; empty when they may be."""
    reach = float(np.abs(values).max(initial=0))
    closure = reach > MOST_RADIANS and any(word in name.lower() for word in _CLOSURE_NAMES)
    return unit_warning(values, "unit" if closure else "rad")


def unit_warning(values: NDArray[np.floating], unit: str) -> str:
    """Why the values cannot be in `unit`; empty when they can."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return ""
    low, high = float(values.min()), float(values.max())
    extent = f"{low:.4g} to {high:.4g}"
    if unit == "unit" and (high > 1.5 or low < -0.5):
        scale = next((scale for scale in _CLOSURE_SCALES if low >= -0.05 * scale and high <= 1.05 * scale), None)
        return f"{extent}, not 0 to 1" + (f": of {scale:g}?" if scale else "")
    if unit == "rad" and max(-low, high) > MOST_RADIANS:
        return f"{extent}: degrees for radians?"
    if unit == "deg" and values.std() >= CONSTANT_STD and max(-low, high) < np.pi:
        return f"{extent}: radians for degrees?"
    return ""
