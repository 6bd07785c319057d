"""Robot descriptions: units and limits of the joints, which a recording does not contain."""

from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from hwm_core.config import Config


class Joint(Config):
    """Unit and limits of one joint, or of all joints whose names match one pattern."""

    unit: str = "rad"
    limits: tuple[float, float] | None = Field(
        default=None, description="lower and upper, in `unit`; absent: the extremes of the training values"
    )
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
    def _limits_rise(self) -> "Joint":
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise ValueError("limits: [lower, upper], lower < upper")
        return self


class Robot(Config):
    """Name and joints of a robot, the contents of a robot's YAML file."""

    name: str
    joints: dict[str, Joint] = Field(
        default={}, description="by name, or by a pattern of names (as of file names); the first match counts"
    )

    def joint(self, name: str) -> Joint:
        """Unit and limits of a joint; an undescribed joint is in radians, without limits."""
        return next((joint for pattern, joint in self.joints.items() if fnmatchcase(name, pattern)), Joint())


def read_robot(name: str) -> Robot:
    """Read a robot's YAML file. A name that is not a YAML file gives a robot without joints. Raises BadConfig."""
    return Robot.read(name) if name.endswith((".yaml", ".yml")) else Robot(name=name)
