"""Proposes how to prepare recordings, from their inspections: robot, rate, margins, crop and validation split."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hwm_core.data.checks.inspection import MANY_REPEATS, Inspection
from hwm_core.data.recording.clock import rounded_rate_hz
from hwm_core.data.robot.embodiment import embodiment_names, read_embodiment
from hwm_core.errors import RobotMismatch

_PRESET_HZ = 30.0  # what the presets are made for; a faster camera is read at this rate


@dataclass(frozen=True)
class Proposal:
    """Options of `hwm prepare`, and why."""

    options: tuple[str, ...]
    reasons: tuple[str, ...] = field(default=())


def propose(inspections: Sequence[Inspection], numbers: Sequence[int | None]) -> Proposal:
    """The options that fit the recordings.

    Args:
        inspections: of all recordings, at least one.
        numbers: the number in the name of each recording; None for a name without one.
    """
    parts = (_robot(inspections), _rate(inspections), _margins(inspections), _crop(inspections), _split(numbers))
    return Proposal(
        tuple(word for part in parts for word in part.options), tuple(why for part in parts for why in part.reasons)
    )


def _robot(inspections: Sequence[Inspection]) -> Proposal:
    """The shipped embodiment whose dimensions are the joints, or a file to write."""
    joints = {one.name for found in inspections for channel in found.joints.values() for one in channel}
    for name in embodiment_names():
        try:
            columns = read_embodiment(name).columns(sorted(joints))
        except RobotMismatch:
            continue
        if (columns >= 0).any():
            return Proposal(("--embodiment", name), (f"the joints are those of the embodiment {name}",))
    return Proposal(("--robot", "robot.yaml"), ("robot.yaml: write the units and limits of the joints, docs/data.md",))


def _rate(inspections: Sequence[Inspection]) -> Proposal:
    slow = [one for one in inspections if one.repeats > MANY_REPEATS]
    rates = [one.fresh_hz for one in slow] or [one.rates["images"].hz for one in inspections]
    if not (known := [rate for rate in rates if rate > 0]):
        return Proposal((), ("no rate: the images do not advance or all repeat the first one, so check the camera",))
    native = rounded_rate_hz(1e9 / min(known))
    rate = min(native, _PRESET_HZ)
    options = ("--rate", f"{rate:.4g}")
    if slow:
        share = sum(one.repeats for one in slow) / len(slow)
        why = f"{share:.0%} of the images repeat the previous image: {rate:.4g} Hz is the camera's own rate"
        return Proposal((*options, "--drop-repeats"), (why,))
    return Proposal(options, (f"the camera runs at {native:.4g} Hz",))


def _margins(inspections: Sequence[Inspection]) -> Proposal:
    """Black bars that all recordings have."""
    shares = _common_bars(inspections)
    if not any(shares):
        return Proposal(())
    return Proposal(("--margins", *(f"{share:.3g}" for share in shares)), ("black bars in every image are removed",))


def _crop(inspections: Sequence[Inspection]) -> Proposal:
    top, bottom, left, right = _common_bars(inspections)
    height, width = inspections[0].size
    height, width = round(height * (1 - top - bottom)), round(width * (1 - left - right))
    if abs(width / height - 1) < 0.01:
        return Proposal(("--crop", "none"), ("the images are square",))
    side, lost = ("width", 1 - height / width) if width > height else ("height", 1 - width / height)
    return Proposal(("--crop", "centre_square"), (f"the crop to a square drops {lost:.0%} of the {side}",))


def _split(numbers: Sequence[int | None]) -> Proposal:
    """Validation on every N-th number, about a tenth of the recordings, at least one and not all."""
    known = [number for number in numbers if number is not None]
    for nth in (10, 5, 4, 3, 2):
        chosen = sum(number % nth == 0 for number in known)
        if 0 < chosen <= len(numbers) / 2:
            why = f"{chosen} of {len(numbers)} recordings validate: those whose number {nth} divides"
            return Proposal(("--validation-nth", str(nth)), (why,))
    if len(numbers) < 2:
        return Proposal(("--validation", "OTHER"), ("OTHER: record a second take, to validate on",))
    return Proposal(
        ("--split", "split.yaml"), ("split.yaml: `hwm split SOURCES --share 0.1 --out split.yaml` makes it",)
    )


def _common_bars(inspections: Sequence[Inspection]) -> tuple[float, float, float, float]:
    top, bottom, left, right = (min(shares) for shares in zip(*(one.bars for one in inspections), strict=True))
    return top, bottom, left, right
