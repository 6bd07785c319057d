"""Prints the command that usually follows, with its paths, as the last line of a command."""

import os
import shlex


def print_next(*words: object) -> None:
    """Print `Next: hwm ...`; under torchrun only the first process does."""
    if os.environ.get("RANK", "0") == "0":
        print("Next:", shlex.join(["hwm", *map(str, words)]))
