"""Folders and files that appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwm_core.errors import BadBag


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path` that takes its name when the block ends well, and is removed when it does not.

    What a killed process left is removed by the next one of the same path. Raises BadBag where `path` exists.
    """
    path = Path(path)
    if path.exists():
        raise BadBag(f"{path}", expected="a new path", got="one that exists", remedy="Choose another, or remove it.")
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def replaced_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path` that takes its place when the block ends well.

    No rename replaces a folder that holds files. So the old one is moved aside first, and between these two renames it
    stands at `readable_folder(path)` alone. What a killed process left is put right by the next one of the same path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, previous = path.with_name(f".{path.name}.partial"), _previous(path)
    if previous.exists() and not path.exists():
        previous.rename(path)
    for left in (partial, previous):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            path.rename(previous)
        partial.rename(path)
        shutil.rmtree(previous, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def readable_folder(path: str | Path) -> Path:
    """Where to read what `replaced_folder` wrote: `path`, or the one before where a process was killed replacing it."""
    path = Path(path)
    return _previous(path) if not path.exists() and _previous(path).exists() else path


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")


@contextmanager
def new_file(path: str | Path, tag: int = 0) -> Iterator[Path]:
    """A file beside `path` that is flushed to the disk and replaces it when the block ends well: a reader sees the old
    file or the new one, never half.

    Processes that may write the same path at the same time have a `tag` each.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{tag}.partial" if tag else f".{path.name}.partial")
    try:
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: Mapping[str, Any], tag: int = 0) -> None:
    """Write one JSON object, whole or not at all; `tag` as of `new_file`."""
    write_text(path, json.dumps(value, indent=1) + "\n", tag)


def write_text(path: str | Path, text: str, tag: int = 0) -> None:
    """The same of any text."""
    with new_file(path, tag) as partial:
        partial.write_text(text)
