"""Which columns of a LeRobot dataset give the joint values, and the name of each value."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import takewhile
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt

from hwm_core.data.lerobot.metadata import ACTION, INDEX_COLUMNS, INFO, STATE, Info, flat_names
from hwm_core.errors import BadBag, did_you_mean
from hwm_core.io.json_files import JsonFields, read_json

MODALITY = "meta/modality.json"  # GR00T: names of slices of the columns
_TEXT = ("video", "image", "string", "language")  # features without numbers in the tables


@dataclass(frozen=True)
class ColumnChoice:
    """Names or patterns of columns, or of groups of meta/modality.json; empty: LeRobot's own columns."""

    states: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class JointPart:
    """A column, or a slice of one."""

    column: str
    shape: tuple[int | None, ...]  # of the values in a row of the column; None: as stored
    names: tuple[str, ...]  # of the values of the column; empty where info.json has not one for each
    first: int = 0
    end: int | None = None  # None: to the last value
    label: str = ""  # prefix of the names where they are absent

    @property
    def width(self) -> int | None:
        """Values in a row of the column; None where info.json does not state it."""
        sizes = [size for size in self.shape if size is not None]
        return prod(sizes) if len(sizes) == len(self.shape) else None


@dataclass(frozen=True)
class JointColumns:
    """The parts of one channel, in order; empty where the dataset lacks the channel."""

    parts: tuple[JointPart, ...]
    chunk: int = 1  # actions in each row, of which the first is the command of the row

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.column for part in self.parts))

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each value. Names that two columns share get the name of their column as a prefix."""
        own = [_part_names(part) for part in self.parts]
        counts = Counter(name for names in own for name in set(names))
        shared = any(count > 1 for count in counts.values())
        return tuple(
            f"{part.label}_{name}" if shared else name
            for part, names in zip(self.parts, own, strict=True)
            for name in names
        )

    def measured(self, widths: Mapping[str, int]) -> "JointColumns":
        """The same columns with the widths that info.json does not state. Columns absent in `widths` stay unknown."""
        return replace(
            self,
            parts=tuple(
                replace(part, shape=(widths[part.column],)) if part.width is None and part.column in widths else part
                for part in self.parts
            ),
        )


def joint_columns(path: Path, info: Info, choice: ColumnChoice) -> tuple[JointColumns, JointColumns]:
    """The columns of states and of commands.

    Args:
        path: folder of the dataset.
        info: its meta/info.json.
        choice: what the user chose.

    Raises:
        BadBag: a chosen column is absent or has no numbers, or the dataset has neither states nor actions.
    """
    named = all(info.features[key].get("names") for key in (STATE, ACTION) if key in info.features)
    groups = _NO_GROUPS if named and choice == ColumnChoice() else _groups(path, info)
    states = _chosen(path, info, choice.states, groups["state"], "--states", STATE)
    commands = _chosen(path, info, choice.actions, groups["action"], "--actions", ACTION)
    if not states.parts and not commands.parts:
        there = ", ".join(_numeric(info)) or "no column of numbers"
        raise BadBag(
            f"Dataset {path}",
            expected=f"a description of {STATE} or {ACTION} in {INFO}",
            got=f"neither; there are {there}",
            remedy="Choose columns with --states and --actions, for example `--states 'observation.states.*'`."
            if _numeric(info)
            else "Check the path: a world model needs joint values.",
        )
    return states, _unchunked(states, commands)


_Kind = Literal["state", "action"]
_NO_GROUPS: Mapping[_Kind, Mapping[str, JointPart]] = {"state": {}, "action": {}}


class _Feature(JsonFields):
    """A feature of joint values. A size is null in datasets whose rows were never counted."""

    shape: tuple[NonNegativeInt | None, ...] = Field(min_length=1)
    names: list[Any] | dict[str, Any] | str | None = None


class _Group(JsonFields):
    start: NonNegativeInt
    end: NonNegativeInt
    original_key: str | None = None


def _part(path: Path, info: Info, key: str) -> JointPart:
    feature = _Feature.from_object(
        info.features[key], f"File {path / INFO}: feature `{key}`", "Correct this feature, or download the file again."
    )
    part = JointPart(key, feature.shape, (), label=key)
    names = flat_names(feature.names)
    return replace(part, names=names if part.width is None or len(names) in (part.width, feature.shape[-1]) else ())


def _part_names(part: JointPart) -> tuple[str, ...]:
    """Names of the values of a part; the label with numbers, or joint_0, ..., where there are none."""
    chosen = part.names[part.first : part.end]
    count = (part.width or 0) if part.end is None else part.end - part.first
    if len(chosen) == count:
        return chosen
    label = part.label if part.label not in (STATE, ACTION) else "joint"
    return tuple(f"{label}_{index}" for index in range(count))


def _chosen(
    path: Path, info: Info, patterns: Sequence[str], groups: Mapping[str, JointPart], option: str, default: str
) -> JointColumns:
    if not patterns:
        if default not in info.features:
            return JointColumns(())
        part = _part(path, info, default)
        # Without names in info.json, the groups of modality.json name the values, if they cover the column.
        covering = [one for one in groups.values() if one.column == default]
        ends = [0, *(one.end for one in covering)]
        whole = [one.first for one in covering] == ends[:-1] and ends[-1] == part.width
        return JointColumns(tuple(covering) if covering and whole and not part.names else (part,))
    known = [*groups, *_numeric(info)]
    parts: list[JointPart] = []
    for pattern in patterns:
        found = [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            raise BadBag(
                f"{option} of dataset {path}",
                expected=f"columns of numbers: {', '.join(known) or 'it has none'}",
                got=f"`{pattern}`",
                remedy=did_you_mean(pattern, known, "Choose columns of this list; `*` stands for any text."),
            )
        parts += [groups[name] if name in groups else _part(path, info, name) for name in found]
    return JointColumns(_labelled(list(dict.fromkeys(parts))))


def _labelled(parts: list[JointPart]) -> tuple[JointPart, ...]:
    """The parts, whose columns are labelled without the words that all of them share."""
    words = [part.label.split(".") for part in parts]
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*words))) if len(parts) > 1 else 0
    return tuple(
        replace(part, label=".".join(own[min(shared, len(own) - 1) :])) for part, own in zip(parts, words, strict=True)
    )


def _numeric(info: Info) -> list[str]:
    """Columns that may hold joint values."""
    other = {"timestamp", *INDEX_COLUMNS}
    return [key for key, one in info.features.items() if one.get("dtype") not in _TEXT and key not in other]


def _groups(path: Path, info: Info) -> Mapping[_Kind, Mapping[str, JointPart]]:
    """{kind: {group: slice}} of modality.json; empty where there is no such file. Raises BadBag."""
    file = path / MODALITY
    if not file.exists():
        return _NO_GROUPS
    found: dict[_Kind, dict[str, JointPart]] = {"state": {}, "action": {}}
    listed = read_json(file, "Download it again, or remove it: it only names groups of joints.")
    kinds: Iterable[tuple[_Kind, str]] = (("state", STATE), ("action", ACTION))
    for kind, default in kinds:
        groups = listed.get(kind)
        for name, group in groups.items() if isinstance(groups, dict) else ():
            one = _Group.from_object(group, f"File {file}: {kind} `{name}`", "Correct it, or remove the file.")
            column = one.original_key or default
            if column in info.features:
                part = _part(path, info, column)
                found[kind][name] = replace(part, first=one.start, end=one.end, label=name)
    return found


def _unchunked(states: JointColumns, commands: JointColumns) -> JointColumns:
    """The commands; where one column holds chunks [n, A] for A states, only the first action of each chunk."""
    if len(commands.parts) != 1 or not states.parts:
        return commands
    (part,) = commands.parts
    if len(part.shape) != 2 or part.end is not None or part.shape[0] in (None, 1):
        return commands
    count, width = part.shape
    if width != len(states.names):
        return commands
    names = part.names if len(part.names) == width else ()
    return JointColumns((replace(part, shape=(width,), names=names or states.names),), chunk=count or 1)
