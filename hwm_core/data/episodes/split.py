"""Splits recordings into training and validation by their names, so that a split stays when recordings are added."""

import hashlib
from collections.abc import Sequence

from hwm_core.config import Config
from hwm_core.data.episodes.store import Split
from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadBag


class SplitFile(Config):
    """Names of the recordings of both splits, the contents of a split file."""

    training: tuple[str, ...]
    validation: tuple[str, ...]

    def apply(self, recordings: Sequence[Recording]) -> dict[Split, list[Recording]]:
        """Assign recordings to their split. Raises BadBag for a recording that is in neither split."""
        splits: dict[Split, list[Recording]] = {"training": [], "validation": []}
        for recording in recordings:
            if recording.name in self.validation:
                splits["validation"].append(recording)
            elif recording.name in self.training:
                splits["training"].append(recording)
            else:
                raise BadBag(
                    "Split", expected="every recording", got=f"no `{recording.name}`", remedy="Make the split again."
                )
        return splits


def is_nth(recording: Recording, nth: int) -> bool:
    """Whether `nth` divides the number of a recording."""
    return recording.number is not None and recording.number % nth == 0


def split_by_number(recordings: Sequence[Recording], nth: int) -> SplitFile:
    """Validation gets the recordings whose number `nth` divides. Raises BadBag when a split would be empty."""
    return _split(recordings, {one.name for one in recordings if is_nth(one, nth)})


def split_by_share(recordings: Sequence[Recording], share: float, seed: int = 0) -> SplitFile:
    """Validation gets about `share` of the recordings, by a hash of `seed` and name. Raises as `split_by_number`."""

    def draw(name: str) -> float:
        return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") / 2**64

    return _split(recordings, {one.name for one in recordings if draw(one.name) < share})


def _split(recordings: Sequence[Recording], validation: set[str]) -> SplitFile:
    names = [one.name for one in recordings]
    if len(set(names)) != len(names) or not validation or len(validation) == len(names):
        raise BadBag(
            "Split",
            expected="recordings of different names, some in each split",
            got=f"{len(names)} recordings, {len(set(names))} names, {len(validation)} to validate",
            remedy="Choose another number or share.",
        )
    return SplitFile(
        training=tuple(name for name in names if name not in validation),
        validation=tuple(name for name in names if name in validation),
    )
