"""Bags that recorders and other programs write: mcap without an index, sqlite3 with a journal, split bags."""

import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow
import yaml
from recordings import record, run

from benchmarks.readers.sqlite_bag import as_sqlite3
from hwm_core.data.rosbag2.reader import SerializedMessage, serialized_messages

MAGIC = b"\x89MCAP0\r\n"


def messages_of_run(folder: Path, frames: int = 40) -> list[SerializedMessage]:
    """The messages of `recordings.run`, serialised; `folder` keeps the bag they come from."""
    return list(serialized_messages(record(folder / "whole", run(frames))))


def write_mcap(
    path: Path,
    messages: Sequence[SerializedMessage],
    *,
    profile: str = "ros2",
    compression: str = "",
    chunk_messages: int = 40,
    index_of: Callable[[str], bool] = lambda topic: True,
    indexed_chunks: slice = slice(None),
    statistics: bool = True,
    summary: bool = True,
    encodings: dict[str, str] | None = None,
    stated: dict[str, int] | None = None,
) -> Path:
    """Write one mcap file, with each topic as a channel.

    Args:
        path: of the file.
        messages: `message_type` and `topic` together name a channel, so a topic may have two. What follows `#` in a
            type is not written: it tells publishers of one topic and type apart.
        profile: in the header.
        compression: of the chunks.
        chunk_messages: messages in a chunk; 0 writes no chunks.
        index_of: topics that the message indexes have.
        indexed_chunks: chunks that the summary lists.
        statistics, summary: whether they are written.
        encodings: {topic, or type: message encoding}, in place of cdr.
        stated: {topic: messages that the statistics count}, in place of the true count.
    """
    keys = {pair: n for n, pair in enumerate(dict.fromkeys((m.topic, m.message_type) for m in messages), start=1)}
    topics = {key: topic for (topic, _), key in keys.items()}
    described = b"".join(
        _record(3, struct.pack("<H", key) + _text(kind.partition("#")[0]) + _text("ros2msg") + _text(""))
        + _record(
            4,
            struct.pack("<HH", key, key)
            + _text(topic)
            + _text((encodings or {}).get(kind, (encodings or {}).get(topic, "cdr")))
            + bytes(4),
        )
        for (topic, kind), key in keys.items()
    )
    out = MAGIC + _record(1, _text(profile) + _text("test"))
    written = [(keys[m.topic, m.message_type], m.received_ns, m.data) for m in messages]
    indexes = []
    if not chunk_messages:
        out += described + b"".join(map(_message, written))
    for first in range(0, len(written), chunk_messages) if chunk_messages else ():
        part = written[first : first + chunk_messages]
        raw = (b"" if first else described) + b"".join(map(_message, part))
        stored = pyarrow.compress(raw, codec=compression, asbytes=True) if compression else raw
        span = struct.pack("<QQ", part[0][1], part[-1][1])
        chunk = span + struct.pack("<QI", len(raw), 0) + _text(compression) + struct.pack("<Q", len(stored)) + stored
        start = len(out)
        out += _record(6, chunk)
        end, offsets = len(out), b""
        for key in sorted({key for key, _, _ in part if index_of(topics[key])}):
            offsets += struct.pack("<HQ", key, len(out))
            entries = b"".join(struct.pack("<QQ", at, 0) for other, at, _ in part if other == key)
            out += _record(7, struct.pack("<HI", key, len(entries)) + entries)
        places = struct.pack("<QQ", start, end - start) + struct.pack("<I", len(offsets)) + offsets
        sizes = struct.pack("<Q", len(out) - end) + _text(compression) + struct.pack("<QQ", len(stored), len(raw))
        indexes.append(_record(8, span + places + sizes))
    out += _record(15, bytes(4))
    start = len(out)
    counts = Counter(key for key, _, _ in written)
    counts.update({key: (stated or {}).get(topic, counts[key]) - counts[key] for key, topic in topics.items()})
    if summary:
        out += described + b"".join(indexes[indexed_chunks])
        if statistics:
            pairs = b"".join(struct.pack("<HQ", key, count) for key, count in counts.items())
            head = (counts.total(), len(keys), len(keys), 0, 0, len(indexes), written[0][1], written[-1][1])
            out += _record(11, struct.pack("<QHIIIIQQ", *head) + struct.pack("<I", len(pairs)) + pairs)
    out += _record(2, struct.pack("<QQI", start if summary else 0, 0, 0)) + MAGIC
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out)
    return path


def write_metadata(
    folder: Path, files: Sequence[str], counts: dict[str, int], types: dict[str, str], **fields: object
) -> None:
    """Write metadata.yaml, which says that the files have `counts` messages of each topic."""
    topics = [
        {
            "topic_metadata": {"name": topic, "type": types[topic], "serialization_format": "cdr"},
            "message_count": count,
        }
        for topic, count in counts.items()
    ]
    inside = {
        "version": 9,
        "storage_identifier": "mcap",
        "relative_file_paths": list(files),
        "message_count": sum(counts.values()),
        "topics_with_message_count": topics,
        "compression_format": "",
        "compression_mode": "",
        **fields,
    }
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": inside}))


def split_bag(folder: Path, parts: Sequence[Sequence[SerializedMessage]], **options: object) -> Path:
    """A folder with one mcap file for each part, and a true metadata.yaml."""
    names = [f"{folder.name}_{number}.mcap" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        write_mcap(folder / name, part, **options)  # type: ignore[arg-type]
    everything = [message for part in parts for message in part]
    counts = Counter(message.topic for message in everything)
    write_metadata(folder, names, dict(counts), {message.topic: message.message_type for message in everything})
    return folder


def sqlite_with_wal(folder: Path, frames: int = 40) -> Path:
    """A sqlite3 bag of a killed recorder: the second half of its messages is only in the write-ahead log."""
    return _interrupted(folder, frames, "WAL", commit=True)


def sqlite_with_journal(folder: Path, frames: int = 40) -> Path:
    """A sqlite3 bag whose recorder was killed while it wrote the second half of its messages."""
    return _interrupted(folder, frames, "DELETE", commit=False)


def _interrupted(folder: Path, frames: int, journal: str, commit: bool) -> Path:
    whole = as_sqlite3(record(folder / "source", run(frames)), folder / "whole") / "whole.db3"
    bag = folder / "bag"
    bag.mkdir()
    database = sqlite3.connect(whole, isolation_level=None)
    middle = database.execute("SELECT max(timestamp) + min(timestamp) FROM messages").fetchone()[0] // 2
    late = database.execute("SELECT * FROM messages WHERE timestamp > ?", (middle,)).fetchall()
    database.execute("DELETE FROM messages WHERE timestamp > ?", (middle,))
    database.execute(f"PRAGMA journal_mode={journal}")
    database.execute("PRAGMA cache_size=1")  # so that an open transaction already changes the file
    database.execute("BEGIN")
    database.executemany(f"INSERT INTO messages VALUES ({','.join('?' * len(late[0]))})", late)
    if commit:
        database.execute("COMMIT")
    for file in whole.parent.glob("whole.db3*"):  # while the recorder has it open
        if not file.name.endswith("-shm"):
            (bag / file.name.replace("whole", "bag")).write_bytes(file.read_bytes())
    database.close()
    return bag / "bag.db3"


def _message(message: tuple[int, int, bytes]) -> bytes:
    key, at, data = message
    return _record(5, struct.pack("<HIQQ", key, 0, at, at) + data)


def _record(opcode: int, contents: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(contents)) + contents


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()
