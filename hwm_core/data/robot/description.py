"""Robot descriptions: units and limits of the joints, which a recording does not contain."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hwm_core.config import Config
from hwm_core.data.robot.units import REACH, Unit, require_unit_name
from hwm_core.errors import BadConfig, did_you_mean

_FILES = (".yaml", ".yml")


class Bounds(Config):
    """Unit and limits of joint values."""

    unit: Annotated[Unit, BeforeValidator(require_unit_name)] = Field(
        default="rad", description="`unit`: a closure, 0 to 1"
    )
    limits: tuple[FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="lower and upper, in `unit`; absent: the extremes of the training values"
    )

    @model_validator(mode="after")
    def _limits_are_possible(self) -> "Bounds":
        if self.limits is None:
            return self
        lower, upper = self.limits
        if not lower < upper:
            raise ValueError("`limits` to be [lower, upper], lower < upper")
        reach = REACH[self.unit]
        if lower < reach.lower or upper > reach.upper:
            raise ValueError(
                f"`limits` in the `unit` {self.unit}, so within {reach.lower:.3g} and {reach.upper:.3g} (these may be "
                f"{reach.likely})"
            )
        return self


class Joint(Bounds):
    """Unit and limits of one joint, or of all joints whose names match one pattern."""

    max_velocity: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="speed limit for planning, in `unit` per second"
    )
    max_acceleration: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="for planning, in `unit` per second squared"
    )

    @property
    def declared(self) -> bool:
        """Whether the unit is declared, not assumed."""
        return "unit" in self.model_fields_set

    @model_validator(mode="after")
    def _speeds_are_possible(self) -> "Joint":
        reach = REACH[self.unit]
        for name, most, per in (
            ("max_velocity", reach.velocity, "second"),
            ("max_acceleration", reach.acceleration, "second squared"),
        ):
            if (value := getattr(self, name)) is not None and value > most:
                raise ValueError(
                    f"`{name}` in the `unit` {self.unit} per {per}, so at most {most:g} (this may be {reach.likely})"
                )
        return self


class Robot(Config):
    """Name and joints of a robot, the contents of a robot's YAML file."""

    name: str
    joints: dict[str, Joint] = Field(
        default={}, description="by name, or by a pattern of names (as of file names); the first match counts"
    )

    def joint(self, name: str) -> Joint:
        """Unit and limits of a joint; an undescribed joint is in radians, without limits."""
        pattern = self._pattern_of(name)
        return Joint() if pattern is None else self.joints[pattern]

    def require_used(self, names: Sequence[str]) -> None:
        """Check that every entry describes a joint: limits under a misspelt name would limit nothing.

        Args:
            names: all joints of the robot.

        Raises:
            BadConfig: an entry matches no joint, or only joints that an earlier entry describes.
        """
        used = {self._pattern_of(name) for name in names}
        for pattern in self.joints:
            if pattern in used:
                continue
            matched = [name for name in names if fnmatchcase(name, pattern)]
            where = f"Robot {self.name}: joints.{pattern}"
            if matched:
                first = self._pattern_of(matched[0])
                raise BadConfig(
                    where,
                    expected="the first entry of a joint, which counts",
                    got=f"only joints that `{first}`, an earlier entry, describes: {_some(matched)}",
                    remedy=f"Move it before `{first}`.",
                )
            bare = pattern.strip("*?")
            raise BadConfig(
                where,
                expected=f"the name of a joint, or a pattern that matches one: {_some(names)}",
                got="no joint of this name",
                remedy=did_you_mean(bare, names, "Correct the name, or remove the entry."),
            )

    def _pattern_of(self, name: str) -> str | None:
        """The entry that describes a joint."""
        return next((pattern for pattern in self.joints if fnmatchcase(name, pattern)), None)


def read_robot(name: str) -> Robot:
    """Read a robot's YAML file. A name that is not a file gives a robot without joints.

    Raises:
        BadConfig: the file is damaged, or is no YAML file by its name.
    """
    path = Path(name)
    if name.lower().endswith(_FILES):
        return Robot.read(name)
    if path.is_file() or len(path.parts) > 1 or path.suffix in (".json", ".urdf", ".xml", ".toml"):
        raise BadConfig(
            "Robot",
            expected=f"a YAML file ({' or '.join(_FILES)}), or the name of a robot",
            got=f"`{name}`",
            remedy="Name the YAML file with the units and limits of the joints.",
        )
    return Robot(name=name)


def _some(names: Iterable[str], most: int = 8) -> str:
    """The first few names."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
