"""The interface of the files of a bag: mcap and sqlite3."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Of a QoS profile in YAML; newer recorders write the name, older ones the number.
_TRANSIENT_LOCAL = re.compile(r"durability:\s*(1|transient_local)\b")


@dataclass(frozen=True)
class Connection:
    """One topic of one file, as one publisher offers it: a channel of mcap, or a row of `topics` in sqlite3."""

    key: int  # in the file
    topic: str
    message_type: str  # such as sensor_msgs/msg/Image
    encoding: str  # of the messages: cdr, or one that ROS 2 does not use, such as json
    latched: bool  # the publisher offered transient-local durability: late subscribers get the last message
    count: int | None  # messages that the file says it has; None: it does not say


@dataclass(frozen=True)
class StoredMessage:
    """One message, as it was recorded."""

    key: int  # of its connection
    received_ns: int  # when the recorder received it
    data: bytes | memoryview


class BagFile(Protocol):
    """One opened file. Its methods raise exceptions of many types where the file is damaged."""

    @property
    def path(self) -> Path: ...

    @property
    def connections(self) -> tuple[Connection, ...]: ...

    @property
    def count(self) -> int | None:
        """Messages of all connections that the file says it has; None: it does not say."""
        ...

    def messages(self, keys: Collection[int]) -> Iterator[StoredMessage]:
        """The messages of the connections `keys` by time, and messages whose connection the file does not list."""
        ...

    def close(self) -> None: ...


def is_latched(qos_profiles: str) -> bool:
    """Whether one of the QoS profiles that a recorder wrote as YAML has transient-local durability."""
    return _TRANSIENT_LOCAL.search(qos_profiles) is not None


def full_type_name(name: str) -> str:
    """sensor_msgs/msg/Image, also for sensor_msgs/Image, as some writers shorten it."""
    package, _, message = name.partition("/")
    return f"{package}/msg/{message}" if message and "/" not in message else name
