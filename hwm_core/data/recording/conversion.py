"""Converting recordings to another format: which are skipped, and what is lost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadBag, BadInput

R = TypeVar("R", bound=Recording)


@dataclass(frozen=True)
class Conversion:
    """What a conversion lost, skipped and kept."""

    losses: list[str]  # information that the new format cannot store, a sentence each
    left_out: list[str]  # unusable recordings, each with the reason
    existing: list[str] = field(default_factory=list)  # recordings converted earlier, maybe with other options


def unusable_messages(bad: int, first_fault: str) -> list[str]:
    """The loss of unusable messages, as a list of at most one sentence."""
    return [f"unusable messages: {bad}, the first: {first_fault}"] if bad else []


def convert_each(recordings: Iterable[R], convert: Callable[[R], None]) -> list[str]:
    """Convert recordings one after the other. Unusable recordings are skipped and reported; the rest are converted.

    Returns:
        The recordings left out, each with the reason.

    Raises:
        BadInput: the only recording is unusable.
        BadBag: no recording is usable.
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
        raise BadBag("Recordings", expected="at least one usable recording", got="none", remedy="; ".join(left_out))
    return left_out
