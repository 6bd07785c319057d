"""Atomic writes of files and folders: readers never see a part."""

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
    """Yield a temporary folder that is renamed to `path` when the block succeeds, and removed when it fails.

    The next call for the same path removes the temporary folder of a killed process.

    Raises:
        BadBag: `path` exists.
    """
    path = Path(path)
    if path.exists():
        raise BadBag(f"{path}", expected="a new path", got="an existing one", remedy="Choose another, or remove it.")
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
    """Yield a temporary folder that replaces `path` when the block succeeds.

    A rename cannot replace a folder that contains files, so the old folder is renamed first. Between the two renames,
    only `readable_folder(path)` finds it. If the process is killed there, the next call for the same path repairs it.
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
    """The folder to read after `replaced_folder`: `path`, or the old folder if the replacement was killed."""
    path = Path(path)
    return _previous(path) if not path.exists() and _previous(path).exists() else path


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")


@contextmanager
def new_file(path: str | Path, tag: int = 0) -> Iterator[Path]:
    """Yield a temporary file that is flushed to disk and replaces `path` when the block succeeds.

    Readers see the old file or the new file, never a part.

    Args:
        path: file to write.
        tag: a different number for each process that may write `path` at the same time.
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
    """Write one JSON object atomically; `tag` as in `new_file`."""
    write_text(path, json.dumps(value, indent=1) + "\n", tag)


def write_text(path: str | Path, text: str, tag: int = 0) -> None:
    """Write a text atomically; `tag` as in `new_file`."""
    with new_file(path, tag) as partial:
        partial.write_text(text)
