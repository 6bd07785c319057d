"""Token sets of the 1X World Model Challenge, v2.0 and v1.1, and sets of ours, which say more in their metadata.

v2.0: shards video_i.bin int32 [ceil(F / 17), 3, 32, 32] (axis 1 is time: three latents of one codebook), states_i.bin
float32 [F, 25], segment_idx_i.bin int32 [F], metadata_i.json; flat, or in sub-folders. v1.1: video.bin uint32
[N, 16, 16], one grid a frame, and one file for each kind of action.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex_metadata import SetMetadata, read_metadata, read_metadata_v1, read_shard
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag
from hwm_core.io.memory_map import map_file

_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow_pitch", "elbow_yaw", "wrist_pitch", "wrist_roll")
EVE_JOINTS = (
    *("hip_yaw", "hip_roll", "hip_pitch", "knee_pitch", "ankle_roll", "ankle_pitch"),
    *(f"{side}_{joint}" for side in ("left", "right") for joint in _ARM),
    "neck_pitch",
)
EVE_STATES = (*EVE_JOINTS, "left_hand_closure", "right_hand_closure", "linear_velocity", "angular_velocity")
# What v1.1 has beside the joints: file, columns. Driving and neck are what was asked for, not what was measured.
_V1_FILES = {
    "joint_pos": EVE_JOINTS,
    "l_hand_closure": ("left_hand_closure",),
    "r_hand_closure": ("right_hand_closure",),
    "driving_command": ("driving_linear", "driving_angular"),
    "neck_desired": ("neck_desired",),
}
SETTINGS_FILE = "tokenise.json"  # of a set of ours: with what it was begun
_FOLDERS = {"video": "videos", "states": "robot_states", "segment_idx": "segment_indices", "metadata": "metadata"}


@dataclass(frozen=True)
class TestSamples:
    """The compression challenge's test set: three grids seen, and the states of what is to be predicted too."""

    numbers: tuple[int, ...]  # N, of the files
    tokens: NDArray[np.int32]  # [N, 3, 32, 32]
    states: NDArray[np.float32]  # [N, 64, 25]


def is_token_set(path: Path) -> bool:
    """Whether `open_tokens` should be tried: codes that are neither a test set nor unfinished, metadata or not."""
    codes = (path / "video.bin").exists() or any(path.glob("video_*.bin")) or any(path.glob("videos/video_*.bin"))
    unfinished = (path / SETTINGS_FILE).exists() and not (path / "metadata.json").exists()
    return codes and not unfinished and not is_test_set(path)


def is_test_set(path: Path) -> bool:
    """Whether `open_test_samples` should be tried: codes and states side by side, and nothing else."""
    more = (path / SETTINGS_FILE).exists() or any(path.glob("metadata*")) or any(path.glob("segment_*"))
    return not more and any(path.glob("video_*.bin")) and any(path.glob("states_*.bin"))


def find_token_sets(path: str | Path) -> list[Path]:
    """Token sets and test sets, `path` itself or the folders below it, by name."""
    path = Path(path)
    if is_token_set(path) or is_test_set(path):
        return [path]
    folders = sorted(one for one in path.glob("*") if one.is_dir() and not one.name.startswith("."))
    return [one for folder in folders for one in find_token_sets(folder)]


def open_episodes(path: str | Path) -> list[TokenEpisode]:
    """Of a token set; or of a test set, one for each sample: a clip, and states beyond its end. Raises BadBag."""
    path = Path(path)
    if not is_test_set(path):
        return open_tokens(path)
    found, said = open_test_samples(path), SetMetadata(num_shards=1)
    return [
        TokenEpisode(
            name=f"{path.name}_{number}",
            tokens=tokens[None],
            clip_frames=said.hwm.clip_frames,
            vocabulary=said.hwm.codes.vocabulary,
            frame_rate_hz=said.hz,
            segments=np.zeros(len(states), dtype=np.int32),
            names=EVE_STATES,
            states=states,
        )
        for number, tokens, states in zip(found.numbers, found.tokens, found.states, strict=True)
    ]


def open_tokens(path: str | Path) -> list[TokenEpisode]:
    """The shards of a set, v2.0 or v1.1; tokens are memory-mapped. Raises BadBag for absent, cut or wrong files."""
    path = Path(path)
    if (path / "video.bin").exists():
        return [_open_v1(path)]
    metadata = read_metadata(path)
    return [_open_shard(path, number, metadata) for number in range(metadata.num_shards)]


def count_warnings(path: Path) -> list[str]:
    """Counts in the metadata.json of a set of v2.0, tokens or raw, that are not those on disk, a sentence each."""
    with suppress(BadBag):  # whoever reads the set will say so
        metadata = read_metadata(path)
        shards = metadata.num_shards
        files = sum(
            1 for folder in ("", "videos/") for kind in ("bin", "mp4") for _ in path.glob(f"{folder}video_*.{kind}")
        )
        images = sum(
            read_shard(shard_file(path, "metadata", number, "json")).shard_num_frames for number in range(shards)
        )
        found = []
        if files > shards:
            found.append(f"metadata.json says num_shards {shards}, on disk are {files}: the others are not read")
        if metadata.num_images not in (None, images):
            found.append(f"metadata.json says num_images {metadata.num_images}, the shards hold {images}: these count")
        return found
    return []


def read_spec(path: str | Path) -> TokenizerSpec:
    """Which tokenizer made the codes of a set. Raises BadBag for damaged metadata."""
    path = Path(path)
    if (path / "video.bin").exists():
        vocabulary = read_metadata_v1(path).vocab_size
        side = math.isqrt(vocabulary)
        # As 1X's own models factorise it: 2^18 codes are two digits of 512.
        levels = (side, side) if side * side == vocabulary else (vocabulary,)
        return TokenizerSpec(
            kind="magvit2",
            codes="discrete",
            levels=levels,
            latent_channels=len(levels),
            temporal_factor=1,
            spatial_factor=16,
        )
    return read_metadata(path).hwm.codes


def open_test_samples(path: str | Path) -> TestSamples:
    """video_i.bin int32 [3, 32, 32] with states_i.bin float32 [64, 25]. Raises BadBag for absent, cut or NaN ones."""
    path = Path(path)
    videos = {_number(file): file for file in path.rglob("video_*.bin")}
    if not videos:
        raise BadBag(f"Test set {path}", expected="video_*.bin", got="none", remedy="Check the path.")
    numbers = tuple(sorted(videos))
    tokens, states = [], []
    for number in numbers:
        tokens.append(_array(videos[number], np.int32, (3, 32, 32)))
        states.append(_joint_values(shard_file(path, "states", number, "bin"), (64, len(EVE_STATES))))
    return TestSamples(numbers, np.stack(tokens), np.stack(states))


def shard_file(path: Path, what: str, number: int, suffix: str) -> Path:
    """A shard's file, flat or in its sub-folder. Raises BadBag where it is in neither."""
    name = f"{what}_{number}.{suffix}"
    for file in (path / name, path / _FOLDERS[what] / name):
        if file.exists():
            return file
    raise BadBag(f"Set {path}", expected=f"{name}, or {_FOLDERS[what]}/{name}", got="neither", remedy="Download it.")


def shard_states(
    path: Path, number: int, width: int, masked: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """States [F, width] and segments [F] of a shard of v2.0, tokens or raw. Raises BadBag, as for NaN.

    Args:
        masked: a column of nothing but NaN is a joint that this robot lacks, one of several in the set.
    """
    frames = read_shard(shard_file(path, "metadata", number, "json")).shard_num_frames
    states = _joint_values(shard_file(path, "states", number, "bin"), (frames, width), masked)
    return states, _array(shard_file(path, "segment_idx", number, "bin"), np.int32, (frames,))


def _joint_values(file: Path, shape: tuple[int, int], masked: bool = False) -> NDArray[np.float32]:
    """States or commands [F, A]; `masked` as of `shard_states`."""
    values: NDArray[np.float32] = _array(file, np.float32, shape)
    lacks = np.isnan(values).all(axis=0) & masked
    if not np.isfinite(values[:, ~lacks]).all():
        raise BadBag(
            f"File {file}",
            expected="finite numbers",
            got="NaN or infinity",
            remedy="Download it again, or tokenise the store again where it is yours.",
        )
    return values


def _open_shard(path: Path, number: int, metadata: SetMetadata) -> TokenEpisode:
    said = metadata.hwm
    names, clip, sources = said.names or EVE_STATES, said.clip_frames, said.episodes
    masked = said.names is not None  # ours says whose
    states, segments = shard_states(path, number, len(names), masked)
    commands = None
    if "commands" in said.kinds:
        commands = _joint_values(path / f"commands_{number}.bin", (len(states), len(names)), masked)
    starts = _starts(path / f"starts_{number}.bin", clip, len(states)) if said.stride else None
    shape = (-(-len(states) // clip) if starts is None else len(starts), *said.shape)
    return TokenEpisode(
        name=sources[number] if number < len(sources) else f"{path.name}_{number}",
        tokens=_array(shard_file(path, "video", number, "bin"), np.dtype(said.dtype), shape, mapped=True),
        clip_frames=clip,
        vocabulary=said.codes.vocabulary,
        frame_rate_hz=metadata.hz,
        segments=segments,
        names=names,
        states=states if "states" in said.kinds else None,
        commands=commands,
        starts=starts,
    )


def _starts(path: Path, clip: int, frames: int) -> NDArray[np.int64]:
    size = path.stat().st_size // 8 if path.exists() else 1
    starts = _array(path, np.int64, (size,))
    if size and (starts.min() < 0 or starts.max() + clip > frames or (np.diff(starts) <= 0).any()):
        raise BadBag(
            f"File {path}",
            expected=f"rising first frames of clips of {clip}, of {frames} frames",
            got=f"{starts.min()} to {starts.max()}",
            remedy="The file is damaged; tokenise the store again.",
        )
    return starts


def _open_v1(path: Path) -> TokenEpisode:
    metadata = read_metadata_v1(path)
    frames, shape = metadata.num_images, (metadata.num_images, 1, metadata.s, metadata.s)
    columns: list[NDArray[np.float32]] = []
    names: list[str] = []
    for stem, some in _V1_FILES.items():
        file = path / "actions" / f"{stem}.bin"
        if file.exists() or stem == "joint_pos":
            columns.append(_joint_values(file, (frames, len(some))))
            names += some
    return TokenEpisode(
        name=path.name,
        tokens=_array(path / "video.bin", np.dtype(metadata.token_dtype), shape, mapped=True),
        clip_frames=1,
        vocabulary=metadata.vocab_size,
        frame_rate_hz=metadata.hz,
        segments=_array(path / "segment_ids.bin", np.int32, (frames,)),
        names=tuple(names),
        states=np.concatenate(columns, axis=1),
    )


def _array(path: Path, dtype: Any, shape: tuple[int, ...], mapped: bool = False) -> Any:
    """A headless array. Its size is all that can tell a cut file, or one of another layout, from a good one."""
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    size = path.stat().st_size if path.exists() else None
    if size != wanted:
        raise BadBag(
            f"File {path}",
            expected=f"{wanted} bytes: {np.dtype(dtype)} {list(shape)}",
            got="no file" if size is None else f"{size} bytes",
            remedy="It was cut, or the metadata belong to another file; download it again.",
        )
    if mapped and wanted:
        return map_file(path, wanted).view(dtype).reshape(shape)
    return np.fromfile(path, dtype=dtype).reshape(shape)


def _number(file: Path) -> int:
    """Of video_5. Raises BadBag for another name."""
    digits = file.stem.removeprefix("video_")
    if not digits.isdecimal():
        raise BadBag(f"File {file}", expected="video_NUMBER.bin", got=f"`{file.name}`", remedy="Rename or remove it.")
    return int(digits)
