"""What a recording does not say of its robot: units and limits of the joints."""

from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from hwm_core.config import Config


class Joint(Config):
    """One joint, or all whose names match one pattern."""

    unit: str = "rad"
    limits: tuple[float, float] | None = Field(
        default=None, description="lower and upper, in `unit`; absent: the extremes seen in training"
    )

    @property
    def declared(self) -> bool:
        """Whether the unit is said, or assumed."""
        return "unit" in self.model_fields_set

    @model_validator(mode="after")
    def _ordered(self) -> "Joint":
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise ValueError("limits: [lower, upper], lower < upper")
        return self


class Robot(Config):
    """A robot's name and joints, as a YAML file describes them."""

    name: str
    joints: dict[str, Joint] = Field(
        default={}, description="by name, or by a pattern of names (as of file names); the first match counts"
    )

    def joint(self, name: str) -> Joint:
        """What is known of a joint; of one not described, that it is in radians."""
        return next((joint for pattern, joint in self.joints.items() if fnmatchcase(name, pattern)), Joint())


def read_robot(name: str) -> Robot:
    """A robot's YAML file; what is no file name is a robot of whose joints nothing is known. Raises BadConfig."""
    return Robot.read(name) if name.endswith((".yaml", ".yml")) else Robot(name=name)
