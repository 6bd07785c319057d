"""Reads the sqlite3 files of bags."""

import shutil
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hwm_core.data.rosbag2.bag_file import Connection, StoredMessage, full_type_name, is_latched

SQLITE_MAGIC = b"SQLite format 3"


class SqliteFile:
    """One opened .db3 file.

    A killed recorder leaves its newest messages in a journal beside the file (`-wal`), or an unfinished write that the
    journal undoes (`-journal`). SQLite applies a journal by writing, so a file with a journal is read from a copy.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder: TemporaryDirectory | None = None
        wal, journal = (path.with_name(path.name + suffix) for suffix in ("-wal", "-journal"))
        left = [one for one in (wal, journal) if one.exists() and one.stat().st_size]
        if journal not in left:
            _reject_short_database(path)
        try:
            if left:
                self._folder = TemporaryDirectory()
                copies = [Path(shutil.copyfile(one, Path(self._folder.name) / one.name)) for one in (path, *left)]
                self._database = sqlite3.connect(copies[0])
            else:
                self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            self.connections = tuple(self._read_connections())
            self.count: int | None = self._database.execute("SELECT count(*) FROM messages").fetchone()[0]
        except BaseException:
            self.close()
            raise

    def messages(self, keys: Collection[int]) -> Iterator[StoredMessage]:
        """As `BagFile.messages`."""
        skipped = sorted({one.key for one in self.connections} - {*keys})
        query = (
            f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id NOT IN ({','.join('?' * len(skipped))}) "
            "ORDER BY timestamp, rowid"
        )
        for key, received_ns, data in self._database.execute(query, skipped):
            if not isinstance(data, bytes) or not isinstance(received_ns, int):
                raise ValueError(f"a message with a {type(data).__name__} at {received_ns!r}")
            yield StoredMessage(key, received_ns, data)

    def close(self) -> None:
        """Close the database, and remove its copy."""
        if database := getattr(self, "_database", None):
            database.close()
        if self._folder:
            self._folder.cleanup()

    def _read_connections(self) -> Iterator[Connection]:
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(topics)")}
        qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
        query = f"SELECT id, name, type, serialization_format, {qos} FROM topics ORDER BY id"
        for key, topic, kind, encoding, profiles in self._database.execute(query):
            yield Connection(key, topic, full_type_name(kind), encoding, is_latched(str(profiles)), None)


def _reject_short_database(file: Path) -> None:
    """SQLite pads a truncated last page with zeros, which would alter a message in it without an error."""
    with file.open("rb") as contents:
        header = contents.read(32)
    if header.startswith(SQLITE_MAGIC) and len(header) == 32:
        # https://www.sqlite.org/fileformat2.html#the_database_header: page size (1 means 65536), number of pages
        page_size, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        whole = (65536 if page_size == 1 else page_size) * pages
        if file.stat().st_size < whole:
            raise EOFError(f"{file.name} has {file.stat().st_size} of {whole} bytes")
