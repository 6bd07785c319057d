"""The checkpoints that are part of the package."""

from importlib.resources import files
from pathlib import Path

SHIPPED = "tiny"
"""The default checkpoint."""
SHIPPED_OF = {"masked": SHIPPED, "flow": "flow_tiny"}
"""Family -> its checkpoint."""


def checkpoint_path(name_or_path: str | Path) -> Path:
    """The folder of a shipped checkpoint by name; any other path is returned unchanged. `./tiny` is a path."""
    shipped = Path(str(files(__name__))) / name_or_path
    return shipped if str(name_or_path) in SHIPPED_OF.values() else Path(name_or_path).expanduser()
