"""Embodiments: what each dimension of an action vector is, and the names under which robots publish it.

The union of several embodiments is one action vector for several robots. A dimension that a robot lacks is NaN, which
normalisation replaces with the mean.
"""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.data.robot.description import Bounds, Joint, Robot
from hwm_core.data.robot.joint_series import JointSeries
from hwm_core.data.robot.value_checks import require_unit
from hwm_core.errors import BadConfig, RobotMismatch, did_you_mean

T = TypeVar("T", bound=JointSeries)


class Dimension(Bounds):
    """One dimension of an action vector."""

    name: str
    aliases: tuple[str, ...] = Field(default=(), description="names under which robots and data sets publish it")


class Embodiment(Config):
    """The dimensions of one robot, or of several."""

    robot: str
    dimensions: tuple[Dimension, ...]
    closures: tuple[str, ...] = Field(
        default=(), description="hand closures: `data.closures: as_recorded` leaves these dimensions as they are"
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Embodiment":
        names = [name for dimension in self.dimensions for name in {dimension.name, *dimension.aliases}]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names with two meanings: {', '.join(repeated)}")
        if unknown := sorted(set(self.closures) - set(self.names)):
            raise ValueError(f"`closures` among the dimensions, not {', '.join(unknown)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions, in order."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def aliases(self) -> dict[str, str]:
        """{published name: name of the dimension}."""
        return {alias: dimension.name for dimension in self.dimensions for alias in dimension.aliases}

    def columns(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Index of each dimension in `names`, [A]; -1 for a missing one.

        Raises:
            RobotMismatch: a name is not a dimension, or two names are the same dimension.
        """
        place: dict[str, int] = {}
        for index, name in enumerate(names):
            own = self.aliases.get(name, name)
            if own not in self.names or own in place:
                near = get_close_matches(name, [*self.names, *self.aliases], n=1)
                raise RobotMismatch(
                    f"Joints for the embodiment {self.robot}",
                    expected=f"names of its {len(self.names)} dimensions, each once",
                    got=f"`{name}`" if own not in self.names else f"`{name}` beside `{names[place[own]]}`",
                    remedy=(f"Is it `{near[0]}`? " if near else "")
                    + "Declare the name, or add it as an alias, in an embodiment file.",
                )
            place[own] = index
        return np.array([place.get(name, -1) for name in self.names], dtype=np.int64)

    def arrange(self, joints: T) -> T:
        """Reorder the joint values to the dimensions of this embodiment; NaN for dimensions that the robot lacks.

        Args:
            joints: for example an episode.

        Raises:
            RobotMismatch: as `columns`.
            BadActions: values cannot be in the declared unit.
        """
        columns = self.columns(joints.names)
        return replace(
            joints,
            names=self.names,
            states=self._arranged(joints.states, columns, f"States of {joints.name}"),
            commands=self._arranged(joints.commands, columns, f"Commands of {joints.name}"),
        )

    def description(self) -> Robot:
        """The robot description: unit and limits of each dimension."""
        joints = {one.name: Joint(unit=one.unit, limits=one.limits) for one in self.dimensions}
        return Robot(name=self.robot, joints=joints)

    def _arranged(self, values: NDArray | None, columns: NDArray[np.int64], whose: str) -> NDArray[np.float32] | None:
        if values is None:
            return None
        arranged = np.full((len(values), len(columns)), np.nan, dtype=np.float32)
        arranged[:, columns >= 0] = values[:, columns[columns >= 0]]
        for index in np.flatnonzero(columns >= 0):
            dimension = self.dimensions[index]
            subject = f"{whose}: {dimension.name}"
            require_unit(arranged[:, index], dimension.unit, subject, f"the embodiment {self.robot}")
        return arranged


def read_embodiment(name: str | Path) -> Embodiment:
    """Read a shipped embodiment by its name, or a YAML file. Raises BadConfig, which lists the shipped ones."""
    if str(name).endswith((".yaml", ".yml")):
        return Embodiment.read(name)
    if name not in embodiment_names():
        raise BadConfig(
            "Embodiment",
            expected=f"{', '.join(embodiment_names())}, or a .yaml file",
            got=f"`{name}`",
            remedy=did_you_mean(name, embodiment_names(), "Choose one of these."),
        )
    return Embodiment.read(str(files("hwm_core.data.robot").joinpath(f"embodiments/{name}.yaml")))


def embodiment_names() -> list[str]:
    """Names of the shipped embodiments."""
    folder = files("hwm_core.data.robot").joinpath("embodiments")
    return sorted(file.name[: -len(".yaml")] for file in folder.iterdir() if file.name.endswith(".yaml"))


def closures_of(robot: str) -> tuple[str, ...]:
    """The hand closures of a shipped embodiment, or of a union of these; none for other robots."""
    known = embodiment_names()
    return tuple(name for one in robot.split("+") if one in known for name in read_embodiment(one).closures)


def union(embodiments: Sequence[Embodiment]) -> Embodiment:
    """All dimensions of several embodiments, in order. Dimensions of the same name merge and get the wider limits.

    Raises:
        BadConfig: merged dimensions differ in unit, or one name is both a dimension and an alias of another dimension.
    """
    merged: dict[str, Dimension] = {}
    for embodiment in embodiments:
        for one in embodiment.dimensions:
            merged[one.name] = _merge(merged[one.name], one) if one.name in merged else one
    robot = "+".join(dict.fromkeys(embodiment.robot for embodiment in embodiments))
    mapping = {"robot": robot, "dimensions": [one.plain() for one in merged.values()]}
    return Embodiment.parse(mapping, where=f"union of {robot}")


def _merge(one: Dimension, two: Dimension) -> Dimension:
    if one.unit != two.unit:
        raise BadConfig(
            f"Dimension {one.name}", expected=f"one unit, {one.unit}", got=two.unit, remedy="Rename one of the two."
        )
    limits = None
    if one.limits and two.limits:
        limits = (min(one.limits[0], two.limits[0]), max(one.limits[1], two.limits[1]))
    aliases = tuple(dict.fromkeys((*one.aliases, *two.aliases)))
    return Dimension(name=one.name, unit=one.unit, limits=limits, aliases=aliases)
