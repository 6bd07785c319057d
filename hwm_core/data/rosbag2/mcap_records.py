"""The records of mcap files: https://mcap.dev/spec."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import BinaryIO
from zlib import crc32

import pyarrow

from hwm_core.errors import BadBag

MAGIC = b"\x89MCAP0\r\n"
# Opcodes of the records that are read.
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, STATISTICS = 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0B

PREFIX = Struct("<BQ")  # of every record: opcode, length
MESSAGE_HEAD = Struct("<HIQQ")  # channel, sequence number, log time, publish time
_CHUNK_HEAD = Struct("<QQQI")  # start, end, uncompressed size, CRC
_CHUNK_INDEX_HEAD = Struct("<QQQQ")  # start, end, offset, length
_STATISTICS_HEAD = Struct("<QHIIIIQQ")  # messages, schemas, channels, attachments, metadata, chunks, start, end


@dataclass(frozen=True)
class Chunk:
    """Where messages are in a file: a chunk, or one message outside of chunks."""

    start_ns: int
    end_ns: int
    offset: int  # of its record
    counts: dict[int, int] = field(default_factory=dict)  # messages of each channel; empty: unknown
    is_message: bool = False  # no chunk: one message outside of chunks


@dataclass(frozen=True)
class Channel:
    """The messages of one publisher on one topic."""

    schema: int
    topic: str
    encoding: str
    metadata: dict[str, str]


@dataclass(frozen=True)
class Statistics:
    """What a file says it has."""

    messages: int
    channels: int
    chunks: int
    counts: dict[int, int]  # messages of each channel


class Fields:
    """Reads the fields of one record in order. Raises EOFError at its end."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data, self._place = data, 0

    def number(self, size: int) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.bytes(size), "little")

    def text(self) -> str:
        return str(self.bytes(self.number(4)), "utf-8")

    def rest(self) -> "Fields":
        """The fields of a map or array, which starts with its length in bytes."""
        return Fields(self.bytes(self.number(4)))

    def unpack(self, layout: Struct) -> tuple[int, ...]:
        return layout.unpack(self.bytes(layout.size))

    def bytes(self, size: int) -> bytes | memoryview:
        data = self._data[self._place : self._place + size]
        if len(data) != size:
            raise EOFError(f"a record with {len(data)} of {size} bytes")
        self._place += size
        return data

    def __bool__(self) -> bool:
        return self._place < len(self._data)


def records(data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """Opcode, first and last + 1 byte of the contents of each record in `data`. Raises EOFError for a truncated one."""
    place, size = 0, len(data)
    while place < size:
        if place + PREFIX.size > size:
            raise EOFError("a truncated record")
        opcode, length = PREFIX.unpack_from(data, place)
        place += PREFIX.size
        if place + length > size:
            raise EOFError(f"a record with {size - place} of {length} bytes")
        yield opcode, place, place + length
        place += length


def read_chunk(file: BinaryIO, chunk: Chunk) -> memoryview:
    """The records of a chunk, decompressed. Raises ValueError or EOFError where they are damaged; BadBag, of an
    unknown compression."""
    file.seek(chunk.offset)
    head = file.read(PREFIX.size)
    opcode, length = PREFIX.unpack(head)
    if chunk.is_message:
        return memoryview(head + file.read(length))
    if opcode != CHUNK:
        raise ValueError(f"a record of kind {opcode} at {chunk.offset}, not a chunk")
    fields = Fields(memoryview(file.read(length)))
    _, _, size, checksum = fields.unpack(_CHUNK_HEAD)
    compression = fields.text()
    stored = fields.bytes(fields.number(8))
    if compression not in ("", "zstd", "lz4"):
        raise BadBag(
            f"Bag {file.name}",
            expected="chunks that are not compressed, or with zstd or lz4",
            got=f"`{compression}`",
            remedy="Compress them with zstd: `mcap compress IN -o OUT --compression zstd`.",
        )
    raw = pyarrow.decompress(stored, decompressed_size=size, codec=compression) if compression and size else stored
    contents = memoryview(raw).cast("B")
    if len(contents) != size or (checksum and crc32(contents) != checksum):
        raise ValueError(f"a chunk at {chunk.offset} that differs from its size or checksum")
    return contents


def parse_chunk_head(data: bytes, offset: int) -> Chunk:
    """A chunk whose record is at `offset`, from the first bytes of its contents."""
    start_ns, end_ns, *_ = Fields(data).unpack(_CHUNK_HEAD)
    return Chunk(start_ns, end_ns, offset)


def parse_schema(fields: Fields) -> tuple[int, str]:
    """Number and name of a schema."""
    return fields.number(2), fields.text()


def parse_channel(fields: Fields) -> tuple[int, Channel]:
    """Number and contents of a channel."""
    key, schema, topic, encoding = fields.number(2), fields.number(2), fields.text(), fields.text()
    pairs, metadata = fields.rest(), {}
    while pairs:
        name = pairs.text()
        metadata[name] = pairs.text()
    return key, Channel(schema, topic, encoding, metadata)


def parse_chunk_index(fields: Fields) -> Chunk:
    """A chunk, from its entry in the summary of the file."""
    start_ns, end_ns, offset, length = fields.unpack(_CHUNK_INDEX_HEAD)
    pairs, offsets = fields.rest(), []
    while pairs:
        key = pairs.number(2)
        offsets.append((pairs.number(8), key))
    # The index of a channel has 15 bytes and 16 for each message, and ends where the next one starts.
    offsets.sort()
    ends = [place for place, _ in offsets[1:]] + [offset + length + fields.number(8)]
    counts = {key: max(0, end - place - 15) // 16 for (place, key), end in zip(offsets, ends)}
    return Chunk(start_ns, end_ns, offset, counts)


def parse_statistics(fields: Fields) -> Statistics:
    messages, _, channels, _, _, chunks, _, _ = fields.unpack(_STATISTICS_HEAD)
    pairs, counts = fields.rest(), {}
    while pairs:
        key = pairs.number(2)
        counts[key] = pairs.number(8)
    return Statistics(messages, channels, chunks, counts)
