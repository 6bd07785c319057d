"""Reads metadata.yaml of a bag: its files, and how many messages it says it has."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from hwm_core.data.rosbag2.bag_file import full_type_name
from hwm_core.data.rosbag2.compressed_file import ZSTD_SUFFIX
from hwm_core.errors import BadBag
from hwm_core.io.json_files import JsonFields

METADATA = "metadata.yaml"
_NEWEST = 9  # version of Jazzy
_REMEDY = "It is truncated or damaged. Run `ros2 bag reindex`, or name the .mcap or .db3 file itself."


class _Topic(JsonFields):
    name: str
    type: str
    serialization_format: str = "cdr"


class TopicCount(JsonFields):
    """One topic, and its number of messages."""

    topic_metadata: _Topic
    message_count: int

    @property
    def name(self) -> str:
        return self.topic_metadata.name

    @property
    def message_type(self) -> str:
        return full_type_name(self.topic_metadata.type)

    @property
    def encoding(self) -> str:
        return self.topic_metadata.serialization_format


class _File(JsonFields):
    path: str
    message_count: int


class BagMetadata(JsonFields):
    """The fields of metadata.yaml that are used. A single file has none of them."""

    version: int = Field(default=1, le=_NEWEST)
    relative_file_paths: tuple[str, ...] = ()
    message_count: int | None = None
    topics_with_message_count: tuple[TopicCount, ...] = ()
    compression_format: str | None = None
    compression_mode: str = ""
    files: tuple[_File, ...] | None = None

    def topics(self) -> list[TopicCount]:
        """The topics, each once."""
        counts: Counter[str] = Counter()
        for one in self.topics_with_message_count:
            counts[one.name] += one.message_count
        first = {one.name: one for one in reversed(self.topics_with_message_count)}
        return [one.model_copy(update={"message_count": counts[name]}) for name, one in first.items()]

    def message_count_of(self, file: Path) -> int | None:
        """How many messages this file has; None: it does not say."""
        listed = {Path(one.path).name.removesuffix(ZSTD_SUFFIX): one.message_count for one in self.files or []}
        return listed.get(file.name.removesuffix(ZSTD_SUFFIX))


def read_metadata(path: Path) -> BagMetadata:
    """Read metadata.yaml. Raises BadBag, OSError or yaml.YAMLError."""
    parsed: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    inner = parsed.get("rosbag2_bagfile_information") if isinstance(parsed, dict) else None
    found = BagMetadata.from_object(inner, f"File {path}", _REMEDY)
    if found.compression_mode.lower() in ("file", "message") and found.compression_format != "zstd":
        raise BadBag(
            f"Bag {path.parent}",
            expected="files or messages compressed with zstd, as ROS 2 does",
            got=f"`{found.compression_format}`",
            remedy="Decompress them with the program that wrote them, or with `ros2 bag convert`.",
        )
    return found


def find_files(folder: Path, listed: Sequence[str]) -> tuple[list[Path], tuple[Path, ...]]:
    """The listed files of a bag, and further mcap and sqlite3 files in its folder. Raises BadBag for a missing one.

    A listed file may have been compressed or decompressed since. Where none is listed, all are the bag's.
    """
    beside = sorted(one for suffix in ("mcap", "db3") for one in folder.glob(f"*.{suffix}*") if is_bag_file(one))
    if not listed:  # a killed recorder lists none
        return beside, ()
    found = []
    for name in dict.fromkeys(Path(one).name for one in listed):
        spellings = [folder / name, folder / (name + ZSTD_SUFFIX), folder / name.removesuffix(ZSTD_SUFFIX)]
        there = [one for one in spellings if one.exists()]
        if not there:
            raise BadBag(
                f"Bag {folder}",
                expected=f"the files that {METADATA} lists: {', '.join(Path(one).name for one in listed)}",
                got=f"no {name}",
                remedy="Copy it beside the others. To read the others alone, run `ros2 bag reindex`.",
            )
        found.append(there[0])
    names = {one.name.removesuffix(ZSTD_SUFFIX) for one in found}
    return found, tuple(one for one in beside if one.name.removesuffix(ZSTD_SUFFIX) not in names)


def is_bag_file(path: Path) -> bool:
    """Whether a path is named like a file of a bag: .mcap or .db3, also compressed."""
    return path.name.removesuffix(ZSTD_SUFFIX).endswith((".mcap", ".db3"))
