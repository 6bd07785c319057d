"""Units of joint values, and how far the limits of a joint of each unit can reach."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

import numpy as np

Unit = Literal["rad", "deg", "m", "rad/s", "m/s", "unit"]

# What other programs call these units. (By its letters alone, `radians` is more similar to `rad/s` than to `rad`.)
_SPELLINGS = {
    "degree": "deg",
    "degrees": "deg",
    "°": "deg",
    "radian": "rad",
    "radians": "rad",
    "metre": "m",
    "metres": "m",
    "meter": "m",
    "meters": "m",
    "radians/s": "rad/s",
    "rad/sec": "rad/s",
    "meters/s": "m/s",
    "m/sec": "m/s",
    "closure": "unit",
    "normalized": "unit",
    "none": "unit",
}

# Cables keep any joint from turning further than this in either direction. Values in degrees exceed it.
MOST_RADIANS = 2.2 * np.pi


@dataclass(frozen=True)
class Reach:
    """What the limits of a joint can be. The numbers are beyond every robot; a limit beyond them has another unit."""

    lower: float
    upper: float
    velocity: float  # in the unit per second; the fastest joints of humanoids reach 37 rad/s
    acceleration: float  # in the unit per second squared
    likely: str  # the unit that a limit beyond these probably has


_FAR = float("inf")  # positions and speeds have no bound of their own: see `joint_limits`
REACH: dict[str, Reach] = {
    "rad": Reach(-MOST_RADIANS, MOST_RADIANS, 40.0, 2000.0, "degrees"),
    "deg": Reach(-400.0, 400.0, 2300.0, 115_000.0, "other units"),
    "m": Reach(-_FAR, _FAR, 10.0, 500.0, "millimetres"),
    "rad/s": Reach(-_FAR, _FAR, 500.0, 50_000.0, "degrees"),
    "m/s": Reach(-_FAR, _FAR, 100.0, 5000.0, "other units"),
    "unit": Reach(-0.5, 1.5, 100.0, 10_000.0, "per cent or raw values"),
}
# Limits of these units may exceed this only where values were seen that are not much smaller.
ORDINARY = {"m": 2.0, "m/s": 5.0, "rad/s": 40.0}


def require_unit_name(word: object) -> object:
    """The word, if it is a unit. Raises ValueError, with the unit that was probably meant."""
    known = get_args(Unit)
    if word in known:
        return word
    lower = str(word).strip().lower()
    near = [_SPELLINGS[lower]] if lower in _SPELLINGS else get_close_matches(lower, known, n=1, cutoff=0.75)
    hint = f" (did you mean `{near[0]}`?)" if near else ""
    raise ValueError(f"{', '.join(known[:-1])} or {known[-1]}{hint}")
