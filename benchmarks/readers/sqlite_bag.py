"""rosbag2 recordings in sqlite3 storage. `hwm_core` writes only mcap, the newer storage."""

from pathlib import Path

from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from hwm_core.data.rosbag2.message_types import message_types


def as_sqlite3(bag: Path, path: Path) -> Path:
    """Copy a bag to `path` with sqlite3 storage."""
    with Reader(bag) as reader, Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        types = message_types()
        copies = {c.topic: writer.add_connection(c.topic, c.msgtype, typestore=types) for c in reader.connections}
        for connection, received_ns, data in reader.messages():
            writer.write(copies[connection.topic], received_ns, data)
    return path
