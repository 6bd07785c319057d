"""The checkpoints that are part of the package."""

from importlib.resources import files
from pathlib import Path

SHIPPED = {"tiny": "masked", "flow_tiny": "flow"}
"""Name of a shipped checkpoint -> what it is."""
DEFAULT = "tiny"
"""The shipped checkpoint that is used where none is named."""
CHECKPOINT_HELP = "folder of a checkpoint, or a shipped one: " + ", ".join(f"{n} ({w})" for n, w in SHIPPED.items())
"""What an option that names a checkpoint takes."""


def checkpoint_path(name_or_path: str | Path) -> Path:
    """The folder of a shipped checkpoint by name; any other path is returned unchanged. `./tiny` is a path."""
    shipped = Path(str(files(__name__))) / name_or_path
    return shipped if str(name_or_path) in SHIPPED else Path(name_or_path).expanduser()
