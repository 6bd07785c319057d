"""Reads JSON files of other programs: rejects truncated or invalid files, and checks the fields that are used."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict

from hwm_core.config import Config, differences
from hwm_core.errors import BadBag, BadConfig

F = TypeVar("F", bound="JsonFields")


class JsonFields(Config):
    """Base class for the fields that are used of a JSON object; other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def from_object(cls: type[F], parsed: Any, where: str, remedy: str) -> F:
        """The fields of a parsed object. Raises BadBag with the first missing or invalid field."""
        try:
            return cls.parse(parsed, where)
        except BadConfig as fault:
            raise BadBag(fault.what, expected=fault.expected, got=fault.got, remedy=remedy) from None

    @classmethod
    def from_json(cls: type[F], path: str | Path, remedy: str) -> F:
        """The fields of a file with one object. Raises BadBag like `read_json` and `from_object`."""
        return cls.from_object(read_json(path, remedy), f"File {path}", remedy)

    @classmethod
    def from_lines(cls: type[F], path: str | Path, remedy: str) -> tuple[list[F], dict[str, BadBag]]:
        """The fields of a file with one object per line; ignores empty lines.

        Returns:
            The usable lines, and {"line 3 of FOLDER/FILE": its fault}; one fault of the file where it is no text.
        """
        path = Path(path)
        name = f"{path.parent.name}/{path.name}"
        found: list[F] = []
        faults: dict[str, BadBag] = {}
        try:
            lines = _text(path, remedy).split("\n")
        except BadBag as fault:
            return [], {name: fault}
        for number, line in enumerate(lines, start=1):
            where = f"File {path}, line {number}"
            try:
                found += [cls.from_object(_object(line, where, remedy), where, remedy)] if line.strip() else []
            except BadBag as fault:
                faults[f"line {number} of {name}"] = fault
        return found, faults


def read_json(path: str | Path, remedy: str) -> dict[str, Any]:
    """Read a file with one JSON object. Raises BadBag if the file is missing, truncated, or not an object."""
    return _object(_text(Path(path), remedy), f"File {path}", remedy)


def require_settings(path: str | Path, wanted: Mapping[str, Any], remedy: str) -> None:
    """Check that a resumed run has the settings it was started with.

    Args:
        path: settings file in the folder of the run.
        wanted: settings of the resumed run.
        remedy: the remedy for a difference.

    Raises:
        BadConfig: settings differ; the message lists them.
        BadBag: the file is truncated.
    """
    path = Path(path)
    wanted, started = json.loads(json.dumps(wanted)), read_json(path, remedy)
    if other := sorted(key for key in {*started, *wanted} if started.get(key) != wanted.get(key)):
        raise BadConfig(
            f"Folder {path.parent}",
            expected=f"the {', '.join(other)} it was started with",
            got=differences(started, wanted),
            remedy=remedy,
        )


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) else f"bytes that are not text: {error}"
        raise BadBag(f"File {path}", expected="a file of JSON", got=got, remedy=remedy) from None


def _object(text: str, where: str, remedy: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
        if not isinstance(parsed, dict):
            raise ValueError(f"a {type(parsed).__name__}")
    except ValueError as error:
        got = str(error) if text.strip() else "nothing"
        raise BadBag(where, expected="a JSON object", got=got, remedy=remedy) from None
    return parsed
