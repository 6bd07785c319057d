"""A declared layout: what each dimension of an action vector is, and by which names robots publish it.

Layouts of several robots make a union; a robot that lacks a dimension has NaN there, which training sees as the mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.joint_table import JointTable
from hwm_core.data.robot.value_checks import require_unit
from hwm_core.errors import BadConfig, RobotMismatch

T = TypeVar("T", bound=JointTable)
Unit = Literal["rad", "deg", "m", "rad/s", "m/s", "unit"]


class Dimension(Config):
    """One dimension."""

    name: str
    unit: Unit = Field(default="rad", description="`unit`: a closure, 0 to 1")
    limits: tuple[float, float] | None = None
    aliases: tuple[str, ...] = Field(default=(), description="names under which robots and data sets publish it")


class Embodiment(Config):
    """The dimensions of one robot, or of several."""

    robot: str
    dimensions: tuple[Dimension, ...]

    @model_validator(mode="after")
    def _one_meaning(self) -> "Embodiment":
        said = [name for one in self.dimensions for name in {one.name, *one.aliases}]
        if repeated := sorted({name for name in said if said.count(name) > 1}):
            raise ValueError(f"names with two meanings: {', '.join(repeated)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions, in order."""
        return tuple(one.name for one in self.dimensions)

    @property
    def aliases(self) -> dict[str, str]:
        """{published name: name of the dimension}."""
        return {alias: one.name for one in self.dimensions for alias in one.aliases}

    def columns(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Where each dimension stands in `names`, [A]; -1 where it is missing.

        Raises:
            RobotMismatch: a name that is no dimension, or two names of one.
        """
        place: dict[str, int] = {}
        for index, name in enumerate(names):
            own = self.aliases.get(name, name)
            if own not in self.names or own in place:
                near = get_close_matches(name, [*self.names, *self.aliases], n=1)
                raise RobotMismatch(
                    f"Joints for the layout {self.robot}",
                    expected=f"names of its {len(self.names)} dimensions, each once",
                    got=f"`{name}`" if own not in self.names else f"`{name}` beside `{names[place[own]]}`",
                    remedy=(f"Is it `{near[0]}`? " if near else "") + "Declare it, or its alias, in a layout file.",
                )
            place[own] = index
        return np.array([place.get(name, -1) for name in self.names], dtype=np.int64)

    def arrange(self, episode: T) -> T:
        """The episode with this layout's dimensions; NaN where its robot has none.

        Raises:
            RobotMismatch: as `columns`.
            BadActions: values that cannot be of the unit declared.
        """
        columns = self.columns(episode.names)
        return replace(
            episode,
            names=self.names,
            states=self._arranged(episode.states, columns, f"States of {episode.name}"),
            commands=self._arranged(episode.commands, columns, f"Commands of {episode.name}"),
        )

    def description(self) -> Robot:
        """Units and limits by name."""
        return Robot(
            name=self.robot, joints={one.name: Joint(unit=one.unit, limits=one.limits) for one in self.dimensions}
        )

    def _arranged(self, values: NDArray | None, columns: NDArray[np.int64], whose: str) -> NDArray[np.float32] | None:
        if values is None:
            return None
        arranged = np.full((len(values), len(columns)), np.nan, dtype=np.float32)
        arranged[:, columns >= 0] = values[:, columns[columns >= 0]]
        for index in np.flatnonzero(columns >= 0):
            one = self.dimensions[index]
            require_unit(arranged[:, index], one.unit, f"{whose}: {one.name}", f"the layout {self.robot}")
        return arranged


def read_embodiment(name: str | Path) -> Embodiment:
    """A shipped layout by name, or a YAML file. Raises BadConfig, naming those there are."""
    if str(name).endswith((".yaml", ".yml")):
        return Embodiment.read(name)
    if name not in embodiment_names():
        raise BadConfig(
            "Embodiment",
            expected=f"{', '.join(embodiment_names())}, or a .yaml file",
            got=f"`{name}`",
            remedy="Name one.",
        )
    return Embodiment.read(str(files("hwm_core.data.robot").joinpath(f"embodiments/{name}.yaml")))


def embodiment_names() -> list[str]:
    """The layouts that ship."""
    folder = files("hwm_core.data.robot").joinpath("embodiments")
    return sorted(file.name[: -len(".yaml")] for file in folder.iterdir() if file.name.endswith(".yaml"))


def union(embodiments: Sequence[Embodiment]) -> Embodiment:
    """Dimensions of all, in order; of one name, they are one, with the wider limits.

    Raises:
        BadConfig: a dimension of two units, or a name that is one robot's dimension and another's alias of a third.
    """
    merged: dict[str, Dimension] = {}
    for embodiment in embodiments:
        for one in embodiment.dimensions:
            merged[one.name] = _merge(merged[one.name], one) if one.name in merged else one
    robot = "+".join(dict.fromkeys(embodiment.robot for embodiment in embodiments))
    mapping: Mapping = {"robot": robot, "dimensions": [one.plain() for one in merged.values()]}
    return Embodiment.parse(dict(mapping), where=f"union of {robot}")


def _merge(one: Dimension, two: Dimension) -> Dimension:
    if one.unit != two.unit:
        raise BadConfig(
            f"Dimension {one.name}", expected=f"one unit, {one.unit}", got=two.unit, remedy="Rename one of the two."
        )
    limits = None
    if one.limits and two.limits:
        limits = (min(one.limits[0], two.limits[0]), max(one.limits[1], two.limits[1]))
    return Dimension(
        name=one.name, unit=one.unit, limits=limits, aliases=tuple(dict.fromkeys((*one.aliases, *two.aliases)))
    )
