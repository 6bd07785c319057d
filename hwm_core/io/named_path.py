"""Paths that have a name."""

import os
from pathlib import Path


def path_kind(path: Path) -> str:
    """What is at a path, in words."""
    if path.is_file():
        return "a file"
    if path.is_dir():
        return "a folder"
    if path.exists():
        return "a pipe or device"
    return "a link to nothing" if path.is_symlink() else "nothing there"


def named_path(path: str | Path) -> Path:
    """The path with a name: a recording has the name of its path, and `.` or `..` would lead out of a target folder."""
    path = Path(path)
    return path if path.name not in ("", "..") else Path(os.path.abspath(path))
