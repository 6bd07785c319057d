"""Reads the mcap files of bags: with their summary where it agrees with itself, else by scanning."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from hwm_core.data.rosbag2.bag_file import Connection, StoredMessage, full_type_name, is_latched
from hwm_core.data.rosbag2.mcap_records import (
    CHANNEL,
    CHUNK,
    CHUNK_INDEX,
    FOOTER,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    PREFIX,
    SCHEMA,
    STATISTICS,
    Channel,
    Chunk,
    Fields,
    Statistics,
    parse_channel,
    parse_chunk_head,
    parse_chunk_index,
    parse_schema,
    parse_statistics,
    read_chunk,
    records,
)

_HEAD = len(MAGIC)
_FOOT = PREFIX.size + 20 + len(MAGIC)  # the footer and the magic bytes after it


class McapFile:
    """One opened .mcap file, of any profile.

    The summary says which chunks have messages of which channels. It is used only where its counts add up to those of
    its statistics; otherwise all records are looked at, so that an incomplete index hides no message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: list[Chunk] = []
        self._statistics: Statistics | None = None
        self._file: BinaryIO = path.open("rb")
        try:
            self._end = self._read_summary()
            self._indexed = self._index_is_complete()
            if not self._indexed:
                self._scan()
            if not self._channels_are_complete():
                self._find_channels()
        except BaseException:
            self.close()
            raise
        counts: dict[int, int] = self._statistics.counts if self._statistics else {}
        self.count = self._statistics.messages if self._statistics else None
        self.connections = tuple(
            Connection(
                key,
                channel.topic,
                full_type_name(self._schemas.get(channel.schema, "")),
                channel.encoding,
                is_latched(channel.metadata.get("offered_qos_profiles", "")),
                counts.get(key),
            )
            for key, channel in sorted(self._channels.items())
        )

    def messages(self, keys: Collection[int]) -> Iterator[StoredMessage]:
        """As `BagFile.messages`."""
        skipped = self._channels.keys() - {*keys}
        chunks = self._chunks
        if self._indexed:
            chunks = [one for one in chunks if one.counts.keys() - skipped]
        waiting: list[tuple[int, int, StoredMessage]] = []
        number = 0
        for chunk in sorted(chunks, key=lambda one: (one.start_ns, one.offset)):
            while waiting and waiting[0][0] < chunk.start_ns:
                yield heapq.heappop(waiting)[2]
            for message in self._messages_of(chunk, skipped):
                heapq.heappush(waiting, (message.received_ns, number, message))
                number += 1
        while waiting:
            yield heapq.heappop(waiting)[2]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _messages_of(self, chunk: Chunk, skipped: Collection[int]) -> Iterator[StoredMessage]:
        contents = read_chunk(self._file, chunk)
        for opcode, start, end in records(contents):
            if opcode == MESSAGE:
                key, _, received_ns, _ = MESSAGE_HEAD.unpack_from(contents, start)
                if key not in skipped:
                    yield StoredMessage(key, received_ns, contents[start + MESSAGE_HEAD.size : end])

    def _read_summary(self) -> int:
        """Read the summary at the end of the file, if it has one; returns where the messages end."""
        size = self._file.seek(0, 2)
        self._file.seek(0)
        if self._file.read(_HEAD) != MAGIC:
            raise ValueError("a file that does not start as mcap" if size else "an empty file")
        self._file.seek(max(_HEAD, size - _FOOT))
        foot = self._file.read()
        if len(foot) != _FOOT or not foot.endswith(MAGIC) or PREFIX.unpack_from(foot) != (FOOTER, 20):
            raise EOFError("a file that does not end as mcap")
        start = Fields(foot[PREFIX.size :]).number(8)
        if not start:
            return size - _FOOT
        if not _HEAD <= start <= size - _FOOT:
            raise ValueError("a summary outside of the file")
        self._file.seek(start)
        summary = self._file.read(size - _FOOT - start)
        for opcode, first, end in records(summary):
            fields = Fields(memoryview(summary)[first:end])
            if opcode == CHUNK_INDEX:
                self._chunks.append(parse_chunk_index(fields))
            elif opcode == STATISTICS:
                self._statistics = parse_statistics(fields)
            else:
                self._add_description(opcode, fields)
        return start

    def _add_description(self, opcode: int, fields: Fields) -> None:
        if opcode == SCHEMA:
            key, name = parse_schema(fields)
            self._schemas.setdefault(key, name)
        elif opcode == CHANNEL:
            key, channel = parse_channel(fields)
            self._channels.setdefault(key, channel)

    def _index_is_complete(self) -> bool:
        """Whether the index has all chunks and all messages that the statistics count."""
        counts: Counter[int] = Counter()
        for chunk in self._chunks:
            counts.update(chunk.counts)
        stated = self._statistics
        return (
            stated is not None
            and stated.chunks == len(self._chunks)
            and stated.messages == counts.total()
            and {key: count for key, count in stated.counts.items() if count} == {**counts}
        )

    def _channels_are_complete(self) -> bool:
        """Whether the summary describes all channels that the statistics count."""
        stated = self._statistics
        return (
            stated is not None
            and stated.channels == len(self._channels)
            and stated.counts.keys() <= self._channels.keys()
            and all(one.schema in self._schemas for one in self._channels.values() if one.schema)
        )

    def _scan(self) -> None:
        """Find all chunks and all messages outside of chunks from the heads of the records."""
        self._chunks = []
        offset = _HEAD
        while offset < self._end:
            self._file.seek(offset)
            head = self._file.read(PREFIX.size + MESSAGE_HEAD.size + 64)
            opcode, length = PREFIX.unpack_from(head)
            if offset + PREFIX.size + length > self._end:
                raise EOFError(f"a record with {self._end - offset - PREFIX.size} of {length} bytes")
            if opcode == CHUNK:
                self._chunks.append(parse_chunk_head(head[PREFIX.size :], offset))
            elif opcode == MESSAGE:
                _, _, received_ns, _ = MESSAGE_HEAD.unpack_from(head, PREFIX.size)
                self._chunks.append(Chunk(received_ns, received_ns, offset, is_message=True))
            elif opcode in (SCHEMA, CHANNEL):
                self._file.seek(offset + PREFIX.size)
                self._add_description(opcode, Fields(self._file.read(length)))
            offset += PREFIX.size + length

    def _find_channels(self) -> None:
        """Add the schemas and channels that only the chunks describe."""
        for chunk in self._chunks:
            if chunk.is_message:
                continue
            contents = read_chunk(self._file, chunk)
            for opcode, first, end in records(contents):
                if opcode in (SCHEMA, CHANNEL):
                    self._add_description(opcode, Fields(contents[first:end]))
