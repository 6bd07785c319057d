"""A results file: records by row, task and seed, with the settings of each row."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from hwm_core.config import Config, differences
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import write_json
from hwm_core.io.json_files import read_json

R = TypeVar("R", bound=Config)


class ResultsFile(Generic[R]):
    """Rows and their records; an interrupted run continues where it stopped.

    Args:
        path: JSON file, which may not exist yet.
        kind: of the records.

    Raises:
        BadBag: the file is truncated or of another kind.
    """

    def __init__(self, path: str | Path, kind: type[R]) -> None:
        self.path, self._kind = Path(path), kind
        content = read_json(self.path, "Write to another file.") if self.path.exists() else {}
        self._rows: dict[str, dict[str, Any]] = content.get("rows", {})

    def open_row(self, name: str, summary: str, settings: Mapping[str, Any]) -> None:
        """Begin or continue a row.

        Raises:
            BadConfig: the file has records of this row with other settings; the message lists them.
        """
        row = self._rows.setdefault(name, {"summary": summary, "settings": dict(settings), "tasks": {}})
        if row["settings"] != settings:
            raise BadConfig(
                f"Row `{name}` of {self.path}",
                expected="the settings of its earlier records",
                got=differences(row["settings"], settings),
                remedy="Write to another file, or remove this row from the file.",
            )

    def has(self, name: str, task: str, seed: int) -> bool:
        """Whether a record is there."""
        return str(seed) in self._rows[name]["tasks"].get(task, {})

    def add(self, name: str, task: str, seed: int, record: R) -> None:
        """Keep a record and write the file, atomically."""
        records = self._rows[name]["tasks"].setdefault(task, {})
        records[str(seed)] = record.plain()
        self._rows[name]["tasks"][task] = dict(sorted(records.items(), key=lambda item: int(item[0])))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, {"rows": self._rows})

    def records(self) -> dict[str, dict[str, dict[int, R]]]:
        """{row: {task: {seed: record}}}. Raises BadConfig for a record of another kind."""
        return {
            name: {
                task: {
                    int(seed): self._kind.parse(one, f"{self.path}: {name}, {task}, {seed}")
                    for seed, one in records.items()
                }
                for task, records in row["tasks"].items()
            }
            for name, row in self._rows.items()
        }
