"""Shared by the command lines: integer arguments with a lower bound, and errors without stack traces."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hwm_core.errors import BadConfig, BadInput


def run_command(
    parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int], arguments: Sequence[str] | None
) -> int:
    """Parse the arguments (default: of this process) and do the work.

    Returns:
        The exit status of `work`; 2 for bad input, whose message is printed to stderr.
    """
    options = parser.parse_args(arguments)
    try:
        with path_errors():
            return work(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2


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


def positive(text: str) -> int:
    """An argparse type: an integer of 1 or more."""
    return _at_least(1, text)


def not_negative(text: str) -> int:
    """An argparse type: an integer of 0 or more."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text}")
    return number
