"""The results file of the closed loop: episodes by row, task and seed, with the settings of each row."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwm_core.config import differences
from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.summary import Records, table
from hwm_core.io.atomic import write_json
from hwm_core.io.json_files import read_json


class ResultsFile:
    """Rows and their episodes; an interrupted run continues where it stopped.

    Args:
        path: JSON file, which may not exist yet.

    Raises:
        BadBag: the file is truncated or of another kind.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        content = read_json(self.path, "Write to another file.") if self.path.exists() else {}
        self._rows: dict[str, dict[str, Any]] = content.get("rows", {})

    def open_row(self, name: str, summary: str, settings: Mapping[str, Any]) -> None:
        """Begin or continue a row.

        Raises:
            BadConfig: the file has episodes of this row with other settings; the message lists them.
        """
        row = self._rows.setdefault(name, {"summary": summary, "settings": dict(settings), "tasks": {}})
        if row["settings"] != settings:
            raise BadConfig(
                f"Row `{name}` of {self.path}",
                expected="the settings of its earlier episodes",
                got=differences(row["settings"], settings),
                remedy="Write to another file, or remove this row from the file.",
            )

    def has(self, name: str, task: str, seed: int) -> bool:
        """Whether an episode is done."""
        return str(seed) in self._rows[name]["tasks"].get(task, {})

    def add(self, name: str, task: str, seed: int, record: EpisodeRecord) -> None:
        """Keep an episode and write the file, atomically."""
        episodes = self._rows[name]["tasks"].setdefault(task, {})
        episodes[str(seed)] = record.plain()
        self._rows[name]["tasks"][task] = dict(sorted(episodes.items(), key=lambda item: int(item[0])))
        write_json(self.path, {"rows": self._rows})

    def records(self) -> dict[str, dict[str, Records]]:
        """{row: {task: {seed: record}}}."""
        return {
            name: {
                task: {int(seed): EpisodeRecord.parse(one, f"{name}, {task}, {seed}") for seed, one in episodes.items()}
                for task, episodes in row["tasks"].items()
            }
            for name, row in self._rows.items()
        }

    def table(self, main: str | None) -> str:
        """The markdown table of all rows in the file."""
        return table(self.records(), main)
