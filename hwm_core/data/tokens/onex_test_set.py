"""The test set of the 1X compression challenge: video_i.bin int32 [3, 32, 32] with states_i.bin float32 [64, 25]."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.tokens.onex_files import read_array, read_joint_values, shard_file
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class TestSamples:
    """N samples: three grids of past tokens, and the states of past and future."""

    numbers: tuple[int, ...]  # N, from the file names
    tokens: NDArray[np.int32]  # [N, 3, 32, 32]
    states: NDArray[np.float32]  # [N, 64, 25]


def is_test_set(path: Path) -> bool:
    """Whether `open_test_samples` should be tried: the folder has tokens and states, and no metadata or segments."""
    more = (path / SETTINGS_FILE).exists() or any(path.glob("metadata*")) or any(path.glob("segment_*"))
    return not more and any(path.glob("video_*.bin")) and any(path.glob("states_*.bin"))


def open_test_samples(path: str | Path) -> TestSamples:
    """Read all samples. Raises BadBag for absent or truncated files, and for values that are not finite."""
    path = Path(path)
    videos = {_number(file): file for file in path.rglob("video_*.bin")}
    if not videos:
        raise BadBag(f"Test set {path}", expected="video_*.bin", got="none", remedy="Check the path.")
    numbers = tuple(sorted(videos))
    tokens, states = [], []
    for number in numbers:
        tokens.append(read_array(videos[number], np.int32, (3, 32, 32)))
        states.append(read_joint_values(shard_file(path, "states", number, "bin"), (64, len(EVE_STATES))))
    return TestSamples(numbers, np.stack(tokens), np.stack(states))


def _number(file: Path) -> int:
    """5 for video_5. Raises BadBag for another name."""
    digits = file.stem.removeprefix("video_")
    if not digits.isdecimal():
        raise BadBag(f"File {file}", expected="video_NUMBER.bin", got=f"`{file.name}`", remedy="Rename or remove it.")
    return int(digits)
