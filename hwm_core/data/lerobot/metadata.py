"""Reads meta/ of a LeRobot dataset: rate and features, tasks, statistics of each episode."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from pydantic import Field, field_validator

from hwm_core.data.lerobot.stats import STATISTICS, FeatureStats
from hwm_core.errors import BadBag
from hwm_core.io.json_files import JsonFields, read_json

_REMEDY = "It is truncated or has another format; download it again."
INFO = "meta/info.json"
STATE, ACTION = "observation.state", "action"  # the features of joint values
INDEX_COLUMNS = ("frame_index", "episode_index", "index", "task_index")  # LeRobot requires them in every table
# A column that hwm adds to meta/episodes of v3.0: the number of the episode in its source. v3.0 itself requires
# consecutive numbers.
SOURCE_NUMBER = "source_episode_index"


class Info(JsonFields):
    """The required fields of meta/info.json."""

    codebase_version: str
    fps: float = Field(gt=0, allow_inf_nan=False)
    features: dict[str, dict[str, Any]]


class _Episode(JsonFields):
    episode_index: int
    tasks: list[Any] | None = None


class _Task(JsonFields):
    task_index: int
    task: str


class _Statistics(JsonFields):
    episode_index: int
    stats: dict[str, dict[str, Any]]

    @field_validator("stats")
    @classmethod
    def _numbers(cls, stats: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, values in stats.items():
            _require_shape(name, values)
        return stats


def _require_shape(name: str, stats: Mapping[str, Any]) -> tuple[int, ...]:
    """The common shape of the statistics of one feature. Raises ValueError where they are incomplete or differ."""
    try:
        *values, count = (np.asarray(stats[key]) for key in STATISTICS)
        valid = all(one.dtype.kind in "bif" and one.shape == values[0].shape for one in values)
    except (KeyError, ValueError):
        valid = False
    if not valid or values[0].size == 0 or count.dtype.kind not in "if" or count.shape != (1,) or not count >= 1:
        raise ValueError(f"{', '.join(STATISTICS)} of `{name}`, lists of numbers of one shape")
    return values[0].shape


def flat_names(names: list[Any] | dict[str, Any] | None) -> tuple[str, ...]:
    """The names of a feature in order: a list, or lists of names; a mapping to lists or to positions.

    A mapping to lists that share names gives LIST_NAME, so that all names differ.
    """
    if not names:
        return ()
    if isinstance(names, list):
        return tuple(str(name) for some in names for name in _list(some))
    if all(isinstance(position, int) for position in names.values()):
        return tuple(sorted(names, key=lambda name: int(names[name])))
    listed = [(key, str(name)) for key, group in names.items() for name in _list(group)]
    groups = {name: key for key, name in listed}  # the last list that has the name
    shared = any(groups[name] != key for key, name in listed)
    return tuple(f"{key}_{name}" if shared else name for key, name in listed)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def read_info(path: Path) -> tuple[Info, dict[str, Any]]:
    """The required fields of meta/info.json, and the whole file. Raises BadBag."""
    file = path / INFO
    everything = read_json(file, "Check the path, or download the file again.")
    return Info.from_object(everything, f"File {file}", _REMEDY), everything


def is_video(feature: Mapping[str, Any]) -> bool:
    """Whether a feature of info.json is stored in video files, not in the tables."""
    return feature.get("dtype") == "video"


def read_episode_tasks(path: Path) -> dict[int, tuple[str, ...]]:
    """{episode: tasks} of v2; empty where the dataset has no meta/episodes.jsonl. Raises BadBag."""
    file = path / "meta/episodes.jsonl"
    lines = _Episode.from_lines(file, _REMEDY) if file.exists() else []
    return {line.episode_index: text_list(line.tasks) for line in lines}


def read_tasks(path: Path) -> dict[int, str]:
    """{task_index: task}; empty where the dataset has no file of tasks. Raises BadBag."""
    old, new = path / "meta/tasks.jsonl", path / "meta/tasks.parquet"
    if old.exists():
        return {line.task_index: line.task for line in _Task.from_lines(old, _REMEDY)}
    if not new.exists():
        return {}
    try:
        rows = pyarrow.parquet.ParquetFile(new).read().to_pylist()
        return {int(row.pop("task_index")): str(next(iter(row.values()), "")) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        got = f"{type(error).__name__}: {error}"
        raise BadBag(f"Table {new}", expected="task_index and task", got=got, remedy=_REMEDY) from None


def source_number(row: Mapping[str, Any]) -> int:
    """The number of an episode, from its row in meta/episodes of v3.0. Raises KeyError, TypeError or ValueError."""
    return whole_number(row, "episode_index" if row.get(SOURCE_NUMBER) is None else SOURCE_NUMBER)


def whole_number(row: Mapping[str, Any], key: str) -> int:
    """An index, which may be stored as a float. Raises KeyError, TypeError or ValueError."""
    number = float(row[key])
    if not number.is_integer() or number < 0:
        raise ValueError(f"{row[key]} for `{key}`")
    return int(number)


def text_list(value: Any) -> tuple[str, ...]:
    """Texts from a list, one text, or nothing; empty texts are left out."""
    some = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) for one in some if one is not None and str(one))


def read_statistics(path: Path) -> dict[int, Mapping[str, FeatureStats]]:
    """{episode: {feature: statistics}} of v2.1 and v3.0; empty where there are none. Raises BadBag."""
    file, folder = path / "meta/episodes_stats.jsonl", path / "meta/episodes"
    lines = _Statistics.from_lines(file, _REMEDY) if file.exists() else []
    if not lines:
        lines = [line for part in sorted(folder.glob("*/*.parquet")) for line in _statistics_v3(part)]
        file = folder
    found: dict[int, Mapping[str, FeatureStats]] = {line.episode_index: line.stats for line in lines}
    shapes: dict[str, tuple[int, ...]] = {}
    for episode, stats in found.items():
        for name, values in stats.items():
            if (shape := _require_shape(name, values)) != shapes.setdefault(name, shape):
                got = f"{list(shape)} in episode {episode}"
                raise BadBag(f"File {file}: `{name}`", expected=f"values {list(shapes[name])}", got=got, remedy=_REMEDY)
    return found


def _statistics_v3(file: Path) -> Iterator[_Statistics]:
    """Statistics from the columns stats/FEATURE/NAME of meta/episodes; episodes without statistics are skipped."""
    try:
        rows = pyarrow.parquet.ParquetFile(file).read().to_pylist()
        numbered = [(source_number(row), row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        got = f"{type(error).__name__}: {error}"
        raise BadBag(f"Table {file}", expected="one row for each episode", got=got, remedy=_REMEDY) from None
    for number, row in numbered:
        stats: dict[str, FeatureStats] = {}
        for column, values in row.items():
            if column.startswith("stats/") and values is not None:
                feature, _, statistic = column.removeprefix("stats/").rpartition("/")
                stats.setdefault(feature, {})[statistic] = values
        if stats:
            yield _Statistics.from_object(
                {"episode_index": number, "stats": stats}, f"Table {file}, episode {number}", _REMEDY
            )
