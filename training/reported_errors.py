"""Prints errors that the user can correct as sentences, without stack traces."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hwm_core.errors import BadConfig, BadInput


def reported(work: Callable[[], int]) -> int:
    """Do the work, and print errors that the user can correct to stderr.

    Returns:
        The exit status of `work`; 2 for bad input, 130 after Ctrl-C, 141 if the reader of a pipe closed it.
    """
    try:
        with path_errors():
            status = work()
            sys.stdout.flush()
            return status
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: finished parts are kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `hwm inspect ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


@contextmanager
def path_errors() -> Iterator[None]:
    """Turn an OSError about a path (such as a missing permission) into BadConfig."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise BadConfig(
            f"Path {error.filename}",
            expected="a path that can be read and written",
            got=error.strerror,
            remedy="Choose another path with --out, or correct its permissions.",
        ) from error
