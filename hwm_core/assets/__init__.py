"""The checkpoints that are part of the package."""

from importlib.resources import files
from pathlib import Path

SHIPPED = {"tiny": "masked", "flow_tiny": "flow", "plan": "flow"}
"""Name of a shipped checkpoint -> its family."""
DEFAULT = "tiny"
"""The shipped checkpoint that is used where none is named."""
CHECKPOINT_HELP = "folder of a checkpoint, or a shipped one: " + ", ".join(
    f"{name} ({family})" for name, family in SHIPPED.items()
)
"""What an option that names a checkpoint takes."""


def checkpoint_path(name_or_path: str | Path) -> Path:
    """The folder of a shipped checkpoint by name; any other path is returned unchanged. `./tiny` is a path."""
    shipped = Path(str(files(__name__))) / name_or_path
    return shipped if str(name_or_path) in SHIPPED else Path(name_or_path).expanduser()
