"""Paths that have a name."""

import os
from pathlib import Path


def named_path(path: str | Path) -> Path:
    """The path with a name: a recording has the name of its path, and `.` or `..` would lead out of a target folder."""
    path = Path(path)
    return path if path.name not in ("", "..") else Path(os.path.abspath(path))
