"""The labels of a recording: camera, robot and tasks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Labels:
    """Names that a data set gives to an episode; empty when it gives none."""

    camera: str = ""  # video key of the images
    robot: str = ""
    tasks: tuple[str, ...] = ()

    def listed(self) -> tuple[str, ...]:
        """One phrase for each label, to report labels that a format cannot store."""
        kinds = (("video key", [self.camera]), ("robot", [self.robot]), ("task", self.tasks))
        return tuple(f"{kind} `{name}`" for kind, names in kinds for name in names if name)
