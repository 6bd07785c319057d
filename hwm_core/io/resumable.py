"""Stores partial results of a long run on disk, so that a stopped run can resume and has the same result.

A folder has one file per finished part, written atomically. `settings.json` records everything that the results depend
on; a run with other settings cannot resume. Several processes may share a folder.
"""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag, BadConfig
from hwm_core.io.atomic import new_file, write_json
from hwm_core.io.json_files import read_json, require_settings
from hwm_core.io.numpy_files import read_npz

Numbers = Mapping[str, NDArray[Any]]
"""Arrays by name."""

_SETTINGS = "settings.json"
_CUT = "Remove it; run again."


class ResumableResults:
    """Finished parts in a folder. Nothing is written before `begin` or the first part.

    Args:
        folder: an existing folder of the same run, or a new one.
        settings: everything that the results depend on, JSON-serialisable.

    Raises:
        BadConfig: the folder was started with other settings; the message lists them.
        BadBag: `settings.json` is truncated.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder, self._settings = Path(folder), settings
        if self.path(_SETTINGS).exists():
            self._require_settings()

    @classmethod
    def for_output(cls, out: str | Path, settings: Mapping[str, Any]) -> "ResumableResults":
        """The folder `OUT.unfinished`, for results that `out` replaces at the end.

        Raises:
            BadConfig: `out` exists, or as for the class.
            BadBag: as for the class.
        """
        out = Path(out)
        if out.exists():
            raise BadConfig(f"--out {out}", expected="a new path", got="one that exists", remedy="Choose another.")
        return cls(out.with_name(f"{out.name}.unfinished"), settings)

    def begin(self) -> None:
        """Create the folder and record the settings. Raises as the class: another process may have been first."""
        with self.lock():
            if not self.path(_SETTINGS).exists():
                write_json(self.path(_SETTINGS), self._settings)
            self._require_settings()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """A lock that excludes other processes. The lock of a killed process is released."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path("lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def path(self, name: str) -> Path:
        """The path of file `name` in the folder, which may not exist. Call `begin` before you write to it."""
        return self.folder / name

    def __contains__(self, name: object) -> bool:
        """Whether the arrays of part `name` are stored."""
        return isinstance(name, str) and self.path(f"{name}.npz").exists()

    def __getitem__(self, name: str) -> Numbers:
        """The arrays of part `name`. Raises BadBag for a truncated or altered file."""
        path = self.path(f"{name}.npz")
        try:
            return read_npz(path)
        except (OSError, ValueError) as error:
            raise BadBag(f"Stored results {path}", expected="a whole file", got=str(error), remedy=_CUT) from None

    def __setitem__(self, name: str, numbers: Numbers) -> None:
        self.begin()
        arrays: dict[str, Any] = dict(numbers)
        with new_file(self.path(f"{name}.npz")) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def read_json(self, name: str) -> Any:
        """The JSON object of part `name`; None if the part is not finished. Raises BadBag for a truncated file."""
        path = self.path(f"{name}.json")
        return read_json(path, _CUT) if path.exists() else None

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        self.begin()
        write_json(self.path(f"{name}.json"), value)

    def remove(self) -> None:
        """Delete the folder, once the final results are written."""
        shutil.rmtree(self.folder)

    def _require_settings(self) -> None:
        remedy = "Resume with the same options, or remove the folder to start again."
        require_settings(self.path(_SETTINGS), self._settings, remedy)
