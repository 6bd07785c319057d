"""Paths on a command line that cannot be read or written: a sentence, not a stack trace."""

from collections.abc import Iterator
from contextlib import contextmanager

from hwm_core.errors import BadConfig


@contextmanager
def paths_told() -> Iterator[None]:
    """Raises BadConfig where the block meets a path that the system rejects: under a file, without rights."""
    try:
        yield
    except OSError as error:
        if error.filename is None:  # of no path
            raise
        raise BadConfig(
            f"Path {error.filename}",
            expected="one that can be read and written",
            got=error.strerror,
            remedy="Name another with --out, or mend this one.",
        ) from error
