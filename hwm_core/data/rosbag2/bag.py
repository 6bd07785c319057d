"""An opened bag: its files, its topics, and whether it delivers all messages that it says it has."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow

from hwm_core.data.rosbag2.bag_file import BagFile, Connection
from hwm_core.data.rosbag2.compressed_file import ZSTD_MAGIC, decompressed_path
from hwm_core.data.rosbag2.mcap_file import McapFile
from hwm_core.data.rosbag2.metadata import METADATA, BagMetadata, find_files, read_metadata
from hwm_core.data.rosbag2.sqlite_file import SQLITE_MAGIC, SqliteFile

CDR = "cdr"


@dataclass(frozen=True)
class BagMessage:
    """One message of a bag."""

    connection: Connection
    publisher: int  # number of the connection among those of its topic in its file
    received_ns: int
    data: bytes | memoryview


class Bag:
    """Opens a rosbag2 folder, or one of its files. The caller turns exceptions about damaged files into BadBag.

    Args:
        path: folder with a metadata.yaml, or an .mcap or .db3 file, also with .zstd.
    """

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        self.metadata = read_metadata(path / METADATA) if path.is_dir() else BagMetadata()
        self.unlisted: tuple[Path, ...] = ()  # files beside the listed ones, which are not read
        self._delivered: Counter[tuple[Path, str]] = Counter()
        self._read: set[tuple[Path, int]] = set()  # files and keys of the connections that were asked for
        self._unknown: Counter[tuple[Path, int]] = Counter()
        self.turns: Counter[str] = Counter()  # how often another publisher of a topic followed
        try:
            paths = [path]
            if path.is_dir():
                paths, self.unlisted = find_files(path, self.metadata.relative_file_paths)
            self.files = [self._open(one) for one in paths]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Bag":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files, and remove temporary copies."""
        self._stack.close()

    @property
    def connections(self) -> list[Connection]:
        """The connections of all files."""
        return [one for file in self.files for one in file.connections]

    def topic_types(self) -> dict[str, tuple[str, ...]]:
        """{topic: message types} of the topics with messages in CDR; also of those that only metadata.yaml lists."""
        found = {topic.name: (topic.message_type,) for topic in self.metadata.topics() if topic.encoding == CDR}
        in_files: dict[str, dict[str, None]] = {}
        for one in self.connections:
            if one.encoding == CDR:
                in_files.setdefault(one.topic, {})[one.message_type] = None
        return found | {topic: tuple(kinds) for topic, kinds in in_files.items()}

    def foreign(self) -> dict[str, str]:
        """{topic: encoding} of the topics whose messages are not CDR."""
        cdr = {one.topic for one in self.connections if one.encoding == CDR}
        return {one.topic: one.encoding for one in self.connections if one.encoding != CDR and one.topic not in cdr}

    def messages(self, topics: Mapping[str, Collection[str]]) -> Iterator[BagMessage]:
        """Messages of all files, those of one file by time.

        Args:
            topics: {topic: message types to read}.
        """
        compressed = self.metadata.compression_mode.lower() == "message"
        for file in self.files:
            known = {one.key: one for one in file.connections}
            wanted = {
                key: one
                for key, one in known.items()
                if one.encoding == CDR and one.message_type in topics.get(one.topic, ())
            }
            self._read |= {(file.path, key) for key in wanted}
            publishers = _numbered(wanted)
            newest: dict[str, int] = {}  # publisher of the newest message of each topic
            for message in file.messages(wanted):
                connection = wanted.get(message.key)
                if connection is None:
                    self._unknown[file.path, message.key] += 1
                    continue
                topic, publisher = connection.topic, publishers[message.key]
                self._delivered[file.path, topic] += 1
                self.turns[topic] += newest.setdefault(topic, publisher) != publisher
                newest[topic] = publisher
                data = _decompress(message.data) if compressed else message.data
                yield BagMessage(connection, publisher, message.received_ns, data)

    def shortfalls(self, topics: Collection[str]) -> list[str]:
        """Where `messages` delivered other counts than the bag says it has, a sentence each.

        Args:
            topics: those that were read to their ends.
        """
        found = [
            f"{self._delivered[file.path, topic]} of {count} messages of {topic} in {file.path.name} can be read"
            for file in self.files
            for topic, count in self._stated(file, topics).items()
            if count != self._delivered[file.path, topic]
        ]
        total: Counter[str] = Counter()
        for (_, topic), count in self._delivered.items():
            total[topic] += count
        for stated in self.metadata.topics():
            others = [one.count for one in self._left_out(stated.name)]
            if stated.name not in topics or None in others:
                continue
            if total[stated.name] + sum(filter(None, others)) != stated.message_count:
                got = f"{total[stated.name]} messages of {stated.name} can be read"
                got += f", and {sum(filter(None, others))} are of other types or encodings" if others else ""
                found.append(f"{got}, but {METADATA} says {stated.message_count}")
        for (path, key), count in self._unknown.items():
            found.append(f"{count} messages in {path.name} belong to connection {key}, which it does not describe")
        for file in self.files:
            listed = self.metadata.message_count_of(file.path)
            if None not in (file.count, listed) and file.count != listed:
                found.append(f"{file.path.name} has {file.count} messages, but {METADATA} says {listed}")
        counts = [file.count for file in self.files if file.count is not None]
        stated_in_all = self.metadata.message_count
        if not found and len(counts) == len(self.files) and stated_in_all not in (None, sum(counts)):
            found.append(f"the files have {sum(counts)} messages, but {METADATA} says {stated_in_all}")
        if self.unlisted:
            names = ", ".join(one.name for one in self.unlisted)
            found.append(f"{METADATA} does not list {names}, so it is not read: run `ros2 bag reindex`")
        return found

    def left_out(self, topics: Collection[str]) -> list[str]:
        """What `messages` left out because other messages of the same topic were asked for, a sentence each."""
        kinds = {(topic, one.message_type, one.encoding) for topic in topics for one in self._left_out(topic)}
        return [f"messages of {kind} in {encoding} on {topic} are left out" for topic, kind, encoding in sorted(kinds)]

    def _left_out(self, topic: str) -> list[Connection]:
        """The connections of a topic that `messages` did not read: of other types or encodings."""
        connections = [(file.path, one) for file in self.files for one in file.connections if one.topic == topic]
        return [one for path, one in connections if (path, one.key) not in self._read]

    def _stated(self, file: BagFile, topics: Collection[str]) -> dict[str, int]:
        """Messages of each topic that a file says it has, of the connections that were read."""
        counts: Counter[str] = Counter()
        for one in file.connections:
            if one.topic in topics and one.count is not None and (file.path, one.key) in self._read:
                counts[one.topic] += one.count
        return dict(counts)

    def _open(self, path: Path) -> BagFile:
        raw = decompressed_path(path, self._stack)
        with raw.open("rb") as contents:
            is_sqlite = contents.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        file: BagFile = SqliteFile(raw) if is_sqlite or raw.suffix == ".db3" else McapFile(raw)
        self._stack.callback(file.close)
        return file


def _numbered(connections: Mapping[int, Connection]) -> dict[int, int]:
    """The number of each connection among those of its topic."""
    seen: Counter[str] = Counter()
    numbers = {}
    for key, one in connections.items():
        numbers[key] = seen[one.topic]
        seen[one.topic] += 1
    return numbers


def _decompress(data: bytes | memoryview) -> bytes:
    """A message that the recorder compressed. The first bytes decide, as for files: no message starts so."""
    if bytes(data[: len(ZSTD_MAGIC)]) != ZSTD_MAGIC:
        return bytes(data)
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd") as stream:
        return bytes(stream.read())
