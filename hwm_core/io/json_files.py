"""JSON that others wrote, or that was cut: read whole or rejected, with the fields that are used checked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict

from hwm_core.config import Config, differences
from hwm_core.errors import BadBag, BadConfig

F = TypeVar("F", bound="JsonFields")


class JsonFields(Config):
    """The fields that are used of a JSON object, which may hold more."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def of(cls: type[F], said: Any, where: str, remedy: str) -> F:
        """Those of an object that was read. Raises BadBag, naming the first that is absent or wrong."""
        try:
            return cls.parse(said, where)
        except BadConfig as fault:
            raise BadBag(fault.what, expected=fault.expected, got=fault.got, remedy=remedy) from None

    @classmethod
    def from_json(cls: type[F], path: str | Path, remedy: str) -> F:
        """Those of a file of one object. Raises BadBag as `read_json` and `of`."""
        return cls.of(read_json(path, remedy), f"File {path}", remedy)

    @classmethod
    def from_lines(cls: type[F], path: str | Path, remedy: str) -> list[F]:
        """Those of a file of one object a line; empty lines are passed over. Raises BadBag, naming the line."""
        lines = enumerate(_text(Path(path), remedy).split("\n"), start=1)
        named = [(f"File {path}, line {number}", line) for number, line in lines if line.strip()]
        return [cls.of(_object(line, where, remedy), where, remedy) for where, line in named]


def read_json(path: str | Path, remedy: str) -> dict[str, Any]:
    """A file of one JSON object. Raises BadBag where it is absent, cut, or holds something else."""
    return _object(_text(Path(path), remedy), f"File {path}", remedy)


def require_settings(path: str | Path, wanted: Mapping[str, Any], remedy: str) -> None:
    """That the work in the folder of `path`, which says its settings, goes on with the same ones.

    Raises:
        BadConfig: it was begun with others; says which.
        BadBag: the file is cut.
    """
    path = Path(path)
    wanted, begun = json.loads(json.dumps(wanted)), read_json(path, remedy)
    if other := sorted(key for key in {*begun, *wanted} if begun.get(key) != wanted.get(key)):
        raise BadConfig(
            f"Folder {path.parent}",
            expected=f"the {', '.join(other)} it was begun with",
            got=differences(begun, wanted),
            remedy=remedy,
        )


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) else f"bytes that are no text: {error}"
        raise BadBag(f"File {path}", expected="a file of JSON", got=got, remedy=remedy) from None


def _object(text: str, where: str, remedy: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
        if not isinstance(said, dict):
            raise ValueError(f"a {type(said).__name__}")
    except ValueError as error:
        got = str(error) if text.strip() else "nothing"
        raise BadBag(where, expected="a JSON object", got=got, remedy=remedy) from None
    return said
