"""Matches the joints of one list to the joints of another list by name."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import RobotMismatch


def match_names(wanted: Sequence[str], given: Sequence[str], whose: str) -> NDArray[np.int64]:
    """Index of each wanted joint in `given`.

    Raises:
        RobotMismatch: joints are missing (suggests their likely new names), or a wanted joint occurs twice.
    """
    require_distinct_names(wanted, whose)
    known = set(wanted)
    require_distinct_names([name for name in given if name in known], whose)
    position = {name: index for index, name in enumerate(given)}
    if missing := [name for name in wanted if name not in position]:
        unexpected = [name for name in given if name not in known]
        near = {name: get_close_matches(name, unexpected, n=1) for name in missing}
        hints = "; ".join(f"`{name}` may now be `{close[0]}`" for name, close in near.items() if close)
        raise RobotMismatch(
            f"Joints of {whose}",
            expected=f"{len(wanted)} joints, among them {', '.join(missing)}",
            got=f"{len(given)} joints without them" + (f", unknown: {', '.join(unexpected)}" if unexpected else ""),
            remedy=(f"Renamed? {hints}. " if hints else "")
            + "Publish all joints in one message, or list only joints that are in it.",
        )
    return np.array([position[name] for name in wanted], dtype=np.int64)


def require_distinct_names(names: Sequence[str], whose: str, remedy: str = "Give each joint its own name.") -> None:
    """Raises RobotMismatch when two joints share a name: the values of one would be taken for the other."""
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise RobotMismatch(
            f"Joints of {whose}",
            expected="each name once",
            got=f"{', '.join(name or 'an empty name' for name in repeated)} more than once",
            remedy=remedy,
        )
