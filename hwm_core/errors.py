"""Errors that users can fix. Each message says what was expected, what was got, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def did_you_mean(word: object, known: Iterable[str], otherwise: str) -> str:
    """A remedy for an unknown word: the most similar known word, or the sentence `otherwise`."""
    near = get_close_matches(str(word), list(known), n=1)
    return f"Did you mean `{near[0]}`?" if near else otherwise


def nearest_path(path: Path, otherwise: str) -> str:
    """A remedy for a path where nothing is: its neighbour with the nearest name, or the sentence `otherwise`."""
    there = path.parent.iterdir() if path.parent.is_dir() and not path.exists() else ()
    neighbours = [one.name for one in there if one.exists()]  # not a link to nothing
    near = get_close_matches(path.name, neighbours, n=1)
    return f"Did you mean `{path.with_name(near[0])}`?" if near else otherwise


class BadInput(ValueError):
    """Input that a user can correct.

    Args:
        what: the wrong thing, the subject of the message.
        expected: what would be right.
        got: what was found instead.
        remedy: a sentence that says how to correct it.
    """

    def __init__(self, what: str, *, expected: object, got: object, remedy: str) -> None:
        self.what, self.expected, self.got, self.remedy = what, expected, got, remedy
        super().__init__(f"{what}: expected {expected}, got {got}. {remedy}")

    def __reduce__(self) -> tuple:
        # Keyword-only arguments do not survive the default pickling of exceptions between worker processes.
        return _rebuild, (type(self), self.what, self.expected, self.got, self.remedy)


def _rebuild(kind: type[BadInput], what: str, expected: object, got: object, remedy: str) -> BadInput:
    return kind(what, expected=expected, got=got, remedy=remedy)


class BadConfig(BadInput):
    """A configuration with an unknown key, or a value out of range."""


class BadBag(BadInput):
    """A recording or data set that cannot be read or is incomplete."""


class NoImages(BadBag):
    """A recording without pictures that can be read; its joint values may still be of use."""


class BadImage(BadInput):
    """An image whose bytes do not match its header, or whose aspect does not match the checkpoint."""


class BeforeKeyFrame(BadImage):
    """A video packet that cannot be decoded because it comes before the first key frame."""


class BadActions(BadInput):
    """Joint values, commands or candidate actions of the wrong size, or with values that are not finite."""


class BadCheckpoint(BadInput):
    """A checkpoint that is truncated, altered, or made for another use."""


class RobotMismatch(BadInput):
    """A robot whose joint names do not match the checkpoint's action manifest."""
