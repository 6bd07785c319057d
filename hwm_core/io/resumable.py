"""What a long run has done so far, so that it can be stopped at any time and go on to the same result."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwm_core.errors import BadConfig
from hwm_core.io.atomic import write_json
from hwm_core.io.json_files import read_json, require_settings

_SETTINGS = "settings.json"


class Unfinished:
    """A folder beside `out`, with a file for each part that is done; each appears whole or not at all.

    It is made with the first part: a run that could not begin leaves nothing behind.

    Raises:
        BadConfig: `out` is there already, or the folder was begun with other settings.
        BadBag: the file that says with which was cut.
    """

    def __init__(self, out: str | Path, settings: Mapping[str, Any]) -> None:
        out = Path(out)
        if out.exists():
            raise BadConfig(f"--out {out}", expected="a new path", got="one that exists", remedy="Choose another.")
        self.folder = out.with_name(f"{out.name}.unfinished")
        self._settings = settings
        if self.path(_SETTINGS).exists():
            remedy = "Give the same options to go on, or remove the folder to begin again."
            require_settings(self.path(_SETTINGS), settings, remedy)

    def path(self, name: str) -> Path:
        """Where the part `name` lies, or will."""
        return self.folder / name

    def read(self, name: str) -> Any:
        """A part that is JSON; None where it is not done. Raises BadBag where it was cut."""
        return read_json(self.path(name), "Remove it; run again.") if self.path(name).exists() else None

    def begin(self) -> None:
        """Before the first part is written."""
        if not self.path(_SETTINGS).exists():
            write_json(self.path(_SETTINGS), self._settings)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """A part that is JSON, whole or not at all."""
        write_json(self.path(name), value)

    def remove(self) -> None:
        """All of it is in its place."""
        shutil.rmtree(self.folder)
