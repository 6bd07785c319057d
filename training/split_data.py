"""Choose which recordings are kept for validation, as a file for `hwm prepare --split`."""

from pathlib import Path

import yaml

from hwm_core.data.discover import FoundRecordings
from hwm_core.data.episodes.split import split_by_number, split_by_share
from hwm_core.io.atomic import new_file

from .sources import print_skipped


def split(found: FoundRecordings, out: Path, *, nth: int | None, share: float | None, seed: int) -> int:
    """Write the split of the recordings to `out`; returns 1 where data sets were skipped."""
    recordings = found.usable()
    if nth is not None:
        sides = split_by_number(recordings, nth)
    else:
        assert share is not None  # the parser requires one of the two
        sides = split_by_share(recordings, share, seed)
    with new_file(out) as partial:
        partial.write_text(yaml.safe_dump(sides.plain(), sort_keys=False))
    print(f"{out}: {len(sides.training)} recordings for training, {len(sides.validation)} for validation")
    return 1 if print_skipped(found) else 0
