"""Statistics and warnings of each joint of a recording."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.description import Joint
from hwm_core.data.robot.manifest import CONSTANT_STD
from hwm_core.data.robot.value_checks import value_warnings


@dataclass(frozen=True)
class JointSummary:
    """Values of one joint in one channel, at the frames."""

    name: str
    lower: float
    upper: float
    mean: float
    std: float
    constant: bool
    warnings: tuple[str, ...]


def joint_remarks(joints: Mapping[str, Sequence[JointSummary]]) -> list[str]:
    """The constant and the suspicious joints of each channel, a sentence each."""
    found = []
    for channel, some in joints.items():
        if constant := [one.name for one in some if one.constant]:
            found.append(f"{channel}: {len(constant)} of {len(some)} dimensions are constant: {', '.join(constant)}")
        for one in some:
            if others := [warning for warning in one.warnings if not warning.startswith("constant")]:
                found.append(f"{channel}: {one.name} {'; '.join(others)}")
    return found


def summarise_joints(
    names: Sequence[str],
    values: NDArray[np.floating],
    joint: Callable[[str], Joint] | None,
    takes: NDArray[np.integer] | None = None,
) -> tuple[JointSummary, ...]:
    """Summarise each column of `values`.

    Args:
        names: names of the A joints.
        values: [N, A].
        joint: unit and limits of a joint by its name, if known.
        takes: take number of each row, [N]; steps between takes are ignored.
    """
    return tuple(_summarise(name, column, joint, takes) for name, column in zip(names, values.T, strict=True))


def _summarise(
    name: str,
    values: NDArray[np.floating],
    joint: Callable[[str], Joint] | None,
    takes: NDArray[np.integer] | None,
) -> JointSummary:
    known = joint(name) if joint else None
    values = values.astype(np.float64)
    return JointSummary(
        name=name,
        lower=float(values.min()),
        upper=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std()),
        constant=bool(values.std() < CONSTANT_STD),
        warnings=tuple(
            value_warnings(name, values, known.unit if known else None, known.limits if known else None, takes)
        ),
    )
