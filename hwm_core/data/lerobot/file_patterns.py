"""Finds the files of a LeRobot dataset by the patterns `data_path` and `video_path` of meta/info.json."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any

from hwm_core.errors import BadBag

# Files where info.json has no usable pattern, or where nothing matches it. Digits may be of any number.
DEFAULTS = {
    ("v2", "data_path"): "data/{folder}/episode_{episode_index:06d}.parquet",
    ("v2", "video_path"): "videos/{folder}/{video_key}/episode_{episode_index:06d}.mp4",
    ("v3", "data_path"): "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    ("v3", "video_path"): "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}
_FIELDS = {"episode_chunk", "episode_index", "chunk_index", "file_index", "video_key", "folder"}
_REQUIRED = {  # {field: what it may be}; every other field may be anything
    ("v2", "data_path"): {"episode_index": "[0-9]+"},
    ("v2", "video_path"): {"episode_index": "[0-9]+", "video_key": "[^/]+"},
    ("v3", "data_path"): {"chunk_index": "[0-9]+", "file_index": "[0-9]+"},
    ("v3", "video_path"): {"chunk_index": "[0-9]+", "file_index": "[0-9]+", "video_key": "[^/]+"},
}


def find_files(path: Path, info: Mapping[str, Any], family: str, kind: str) -> list[tuple[Path, dict[str, str]]]:
    """The files of one kind, and the fields of the pattern that each file has, sorted by path.

    Args:
        path: folder of the dataset.
        info: meta/info.json.
        family: v2 or v3.
        kind: data_path or video_path.

    Raises:
        BadBag: the name of a file of v2 has no number in its place: it would be ignored.
    """
    required = _REQUIRED[family, kind]
    for template in (info.get(kind), DEFAULTS[family, kind]):
        if isinstance(template, str) and (parts := _parts(template, required)):
            found = []
            for file in _candidates(path, parts):
                if fields := _fields(file.relative_to(path), parts, required):
                    found.append((file, fields))
                elif family == "v2":
                    raise _without_number(file, template)
            if found:
                return found
    return []


def _parts(template: str, required: Mapping[str, str]) -> list[tuple[str, str]]:
    """(text, field) pairs of a template; empty where hwm cannot use it, or it leaves the folder."""
    try:
        parts = [(text, field or "") for text, field, _, _ in Formatter().parse(template)]
    except ValueError:
        return []
    fields, pure = {field for _, field in parts if field}, PurePosixPath(template)
    usable = required.keys() <= fields <= _FIELDS and not pure.is_absolute() and ".." not in pure.parts
    return parts if usable else []


def _candidates(path: Path, parts: list[tuple[str, str]]) -> list[Path]:
    glob = "".join(re.sub(r"([*?\[])", r"[\1]", text) + ("*" if field else "") for text, field in parts)
    return sorted(path.glob(glob))


def _fields(file: Path, parts: list[tuple[str, str]], required: Mapping[str, str]) -> dict[str, str]:
    """The fields of a file, by its path in the dataset; empty where it does not match."""
    pattern, seen = "", set[str]()
    for text, field in parts:
        pattern += re.escape(text)
        if field in required:
            pattern += f"(?P={field})" if field in seen else f"(?P<{field}>{required[field]})"
            seen.add(field)
        elif field:
            pattern += "[^/]+"
    match = re.fullmatch(pattern, file.as_posix())
    return match.groupdict() if match else {}


def _without_number(file: Path, template: str) -> BadBag:
    name = PurePosixPath(template).name
    expected = "".join(text + ("NUMBER" if field else "") for text, field, _, _ in Formatter().parse(name))
    return BadBag(f"File {file}", expected=expected, got=f"`{file.name}`", remedy="Rename or remove it.")
