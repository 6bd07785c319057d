"""A bag in the storage that rosbag2 had before mcap; our own writer makes mcap alone."""

from pathlib import Path

from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from hwm_core.data.rosbag2.message_types import message_types


def as_sqlite3(bag: Path, path: Path) -> Path:
    """The same bag in the other storage."""
    with Reader(bag) as reader, Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        types = message_types()
        there = {c.topic: writer.add_connection(c.topic, c.msgtype, typestore=types) for c in reader.connections}
        for connection, received_ns, data in reader.messages():
            writer.write(there[connection.topic], received_ns, data)
    return path
