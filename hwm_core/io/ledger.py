"""What was judged so far, on disk: an interrupted evaluation goes on, and several ranks fill one folder.

A batch of windows is a file; it appears whole or not at all. `settings.json` says what the numbers are of, and whoever
comes with other settings is rejected.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag
from hwm_core.io.atomic import new_file, write_json
from hwm_core.io.json_files import require_settings

Numbers = Mapping[str, NDArray[Any]]
"""Of one batch of windows, by name; the first axis of each is the window."""


class Parts(Protocol):
    """Numbers of batches, by the batch; a dict will do."""

    def __contains__(self, batch: object, /) -> bool: ...
    def __getitem__(self, batch: int, /) -> Numbers: ...
    def __setitem__(self, batch: int, numbers: Numbers, /) -> None: ...


class Ledger:
    """Parts in a folder, of one evaluation.

    Args:
        folder: made if need be.
        settings: JSON-able; everything the numbers depend on.

    Raises:
        BadConfig: the folder was begun with other settings; says which.
        BadBag: the file that says with which was cut.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "settings.json"
        with self.alone():
            if not path.exists():
                write_json(path, settings)
            require_settings(path, settings, remedy="Choose another folder, or begin anew.")

    def __contains__(self, batch: object) -> bool:
        return isinstance(batch, int) and self._path(batch).exists()

    def __setitem__(self, batch: int, numbers: Numbers) -> None:
        arrays: dict[str, Any] = dict(numbers)
        with new_file(self._path(batch)) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def __getitem__(self, batch: int) -> Numbers:
        """Raises BadBag for a file that is cut or altered."""
        path = self._path(batch)
        try:
            with np.load(path) as file:
                return dict(file)
        except (OSError, EOFError, ValueError, BadZipFile) as error:
            raise BadBag(
                f"Evaluated windows {path}",
                expected="a whole file",
                got=str(error),
                remedy="Remove it; run again.",
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Other ranks wait for the end of this block; a killed one lets go."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, batch: int) -> Path:
        return self.folder / f"{batch:06d}.npz"
