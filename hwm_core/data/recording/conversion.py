"""What becomes of recordings on their way into another format; one policy for every format."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadBag, BadInput

R = TypeVar("R", bound=Recording)


@dataclass(frozen=True)
class Conversion:
    """What was not carried over, a sentence each."""

    losses: list[str]  # of the recordings that were converted
    left_out: list[str]  # recordings that could not be used, each with the reason
    kept: list[str] = field(default_factory=list)  # names of those there already, made with whatever options


def unusable_messages(bad: int, first_fault: str) -> list[str]:
    """What to say of messages of the source that are left out because they cannot be used; nothing of none."""
    return [f"messages that cannot be used: {bad}, the first: {first_fault}"] if bad else []


def convert_each(recordings: Iterable[R], convert: Callable[[R], None]) -> list[str]:
    """Convert one after the other. A bad one among others is left out, so that it does not cost the rest.

    Returns:
        Those left out, each with the reason.

    Raises:
        BadInput: of the only recording.
        BadBag: not one of them was usable.
    """
    faults: list[tuple[str, BadInput]] = []
    count = 0
    for recording in recordings:
        count += 1
        try:
            convert(recording)
        except BadInput as fault:
            faults.append((recording.name, fault))
    if faults and count == 1:
        raise faults[0][1]
    left_out = [f"{name}: {fault}" for name, fault in faults]
    if len(faults) == count:
        raise BadBag("Recordings", expected="some to convert", got="none usable", remedy="; ".join(left_out))
    return left_out
