"""Reads meta/ of a LeRobot dataset: rate and features, tasks, statistics of each episode."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

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
_INDICES = 2**63  # number of indices that 64 bits hold
_Index = Annotated[int, Field(ge=0, lt=_INDICES)]


class Info(JsonFields):
    """The required fields of meta/info.json."""

    codebase_version: str
    fps: float = Field(gt=0, allow_inf_nan=False)
    features: dict[str, dict[str, Any]]


class _Episode(JsonFields):
    episode_index: _Index
    tasks: list[Any] | None = None


class _Task(JsonFields):
    task_index: _Index
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


def flat_names(names: list[Any] | dict[str, Any] | str | None) -> tuple[str, ...]:
    """The names of a feature in order: a list, lists of names, or one name; a mapping to lists or to positions.

    A mapping to lists that share names gives LIST_NAME, so that all names differ. A null or blank name means that there
    are no names.
    """
    names = [names] if isinstance(names, str) else names or []
    if isinstance(names, dict) and all(isinstance(position, int) for position in names.values()):
        names = [name for name, _ in sorted(names.items(), key=lambda named: int(named[1]))]
    groups = {"": names} if isinstance(names, list) else names
    flat = [(key, name) for key, group in groups.items() for some in _list(group) for name in _list(some)]
    if any(name is None or not str(name).strip() for _, name in flat):
        return ()
    listed = [(key, str(name)) for key, name in flat]
    last = {name: key for key, name in listed}  # the last list that has the name
    shared = any(last[name] != key for key, name in listed)
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


def is_depth(feature: Mapping[str, Any]) -> bool:
    """Whether a feature of info.json is marked as depth: `is_depth_map`, in any of the places that versions use."""
    return any(
        (key.rpartition(".")[2] == "is_depth_map" and value in (True, "true", "True", 1))
        or (isinstance(value, Mapping) and is_depth(value))
        for key, value in feature.items()
    )


Faults = dict[str, BadBag]  # {a part of meta/: why it cannot be used}


def read_episode_tasks(path: Path) -> tuple[dict[int, tuple[str, ...]], Faults]:
    """{episode: tasks} of v2, and the lines that cannot be used; empty where there is no meta/episodes.jsonl."""
    file = path / "meta/episodes.jsonl"
    lines, faults = _Episode.from_lines(file, _REMEDY) if file.exists() else ([], {})
    return {line.episode_index: text_list(line.tasks) for line in lines}, faults


def read_tasks(path: Path) -> tuple[dict[int, str], Faults]:
    """{task_index: task}, and the rows that cannot be used; empty where the dataset has no file of tasks."""
    old, new = path / "meta/tasks.jsonl", path / "meta/tasks.parquet"
    if old.exists():
        lines, faults = _Task.from_lines(old, _REMEDY)
        return {line.task_index: line.task for line in lines}, faults
    if not new.exists():
        return {}, {}
    found: dict[int, str] = {}
    faults = {}
    try:
        rows = pyarrow.parquet.ParquetFile(new).read().to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        return {}, {"meta/tasks.parquet": _bad_rows(f"Table {new}", "task_index and task", error)}
    for place, row in enumerate(rows):
        try:
            index = whole_number(row, "task_index")
            texts = [value for name, value in row.items() if name != "task_index"]
            found[index] = str(texts[0]) if texts else ""
        except (ValueError, KeyError, TypeError) as error:
            where = f"meta/tasks.parquet, row {place}"
            faults[where] = _bad_rows(f"Table {new}, row {place}", "task_index and task", error)
    return found, faults


def _bad_rows(what: str, expected: str, error: Exception) -> BadBag:
    got = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return BadBag(what, expected=expected, got=got, remedy=_REMEDY)


def source_number(row: Mapping[str, Any]) -> int:
    """The number of an episode, from its row in meta/episodes of v3.0. Raises KeyError, TypeError or ValueError."""
    return whole_number(row, "episode_index" if row.get(SOURCE_NUMBER) is None else SOURCE_NUMBER)


def whole_number(row: Mapping[str, Any], key: str) -> int:
    """An index of 64 bits, which may be stored as a float. Raises KeyError, TypeError or ValueError."""
    try:
        number = float(row[key])
    except OverflowError:
        number = math.inf
    if not number.is_integer() or not 0 <= number < _INDICES:
        raise ValueError(f"{row[key]} for `{key}`")
    return int(number)


def text_list(value: Any) -> tuple[str, ...]:
    """Texts from a list, one text, or nothing."""
    some = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) for one in some if one is not None)


def read_statistics(path: Path) -> dict[int, Mapping[str, FeatureStats]]:
    """{episode: {feature: statistics}} of v2.1 and v3.0, without damaged rows; empty where there are none."""
    return _statistics(path)[0]


def statistics_faults(path: Path) -> list[BadBag]:
    """Why statistics of episodes cannot be used."""
    return list(_statistics(path)[1].values())


def _statistics(path: Path) -> tuple[dict[int, Mapping[str, FeatureStats]], Faults]:
    file, folder = path / "meta/episodes_stats.jsonl", path / "meta/episodes"
    lines, faults = _Statistics.from_lines(file, _REMEDY) if file.exists() else ([], {})
    if not lines and not faults:
        for part in sorted(folder.glob("*/*.parquet")):
            some, bad = _statistics_v3(part)
            lines, faults, file = lines + some, faults | bad, folder
    found: dict[int, Mapping[str, FeatureStats]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for line in lines:
        own = {name: _require_shape(name, values) for name, values in line.stats.items()}
        other = next((name for name, shape in own.items() if shape != shapes.get(name, shape)), None)
        if other is None:
            shapes |= own
            found[line.episode_index] = line.stats
        else:
            expected, got = f"values {list(shapes[other])}", f"{list(own[other])} in episode {line.episode_index}"
            fault = BadBag(f"File {file}: `{other}`", expected=expected, got=got, remedy=_REMEDY)
            faults[f"statistics of episode {line.episode_index}"] = fault
    return found, faults


def _statistics_v3(file: Path) -> tuple[list[_Statistics], Faults]:
    """Statistics from the columns stats/FEATURE/NAME of meta/episodes; episodes without statistics are skipped."""
    try:
        rows = pyarrow.parquet.ParquetFile(file).read().to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        return [], {file.name: _bad_rows(f"Table {file}", "one row for each episode", error)}
    found: list[_Statistics] = []
    faults: Faults = {}
    for place, row in enumerate(rows):
        stats: dict[str, FeatureStats] = {}
        for column, values in row.items():
            if column.startswith("stats/") and values is not None:
                feature, _, statistic = column.removeprefix("stats/").rpartition("/")
                stats.setdefault(feature, {})[statistic] = values
        where = f"Table {file}, row {place}"
        try:
            plain = {"episode_index": source_number(row), "stats": stats}
            found += [_Statistics.from_object(plain, where, _REMEDY)] if stats else []
        except BadBag as fault:
            faults[where] = fault
        except (ValueError, KeyError, TypeError):
            continue  # a row without a number belongs to no episode, which is reported when the episodes are found
    return found, faults
