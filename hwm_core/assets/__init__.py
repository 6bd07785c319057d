"""Checkpoints that ship with the package."""

from importlib.resources import files
from pathlib import Path

SHIPPED = "tiny"
"""The default."""
SHIPPED_OF = {"masked": SHIPPED, "flow": "flow_tiny"}
"""By family."""


def checkpoint_path(name_or_path: str) -> Path:
    """The folder of a shipped checkpoint by name, or any path as it is."""
    shipped = Path(str(files(__name__))) / name_or_path
    return shipped if name_or_path in SHIPPED_OF.values() else Path(name_or_path).expanduser()
