"""What a data set says of a recording beside its values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Labels:
    """Names that go along with an episode; empty where nothing is said."""

    camera: str = ""  # video key of its pictures
    robot: str = ""
    tasks: tuple[str, ...] = ()

    def listed(self) -> tuple[str, ...]:
        """Each of them, for those who cannot carry it."""
        kinds = (("video key", [self.camera]), ("robot", [self.robot]), ("task", self.tasks))
        return tuple(f"{kind} `{name}`" for kind, names in kinds for name in names if name)
