"""Packs episodes into files of limited size, as LeRobot v3.0 stores them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from hwm_core.data.lerobot.info_file import CHUNK

Item = TypeVar("Item")


class FilePacker(Generic[Item]):
    """Collects items for files of limited size. Files are numbered consecutively, 1000 in a chunk.

    Args:
        limit: bytes in a file.
        write: writes the items of one file, given (chunk, file).
    """

    def __init__(self, limit: int, write: Callable[[list[Item], tuple[int, int]], None]) -> None:
        self._limit, self._write = limit, write
        self._size, self._files = 0, 0
        self._kind: object = None
        self.held: list[Item] = []

    def add(self, item: Item, size: int, kind: object = None) -> tuple[int, int]:
        """Add an item of `size` bytes. Returns its (chunk, file). Items of different kinds never share a file."""
        if self.held and (self._size + size > self._limit or kind != self._kind):
            self.flush()
        self.held.append(item)
        self._size, self._kind = self._size + size, kind
        return divmod(self._files, CHUNK)

    def flush(self) -> None:
        """Write the items held."""
        if self.held:
            self._write(self.held, divmod(self._files, CHUNK))
            self._files, self._size, self.held = self._files + 1, 0, []
