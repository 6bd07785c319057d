"""Token sets of the 1X World Model Challenge, v2.0 and v1.1, and sets of ours, which say more in their metadata.

v2.0: shards video_i.bin int32 [ceil(F / 17), 3, 32, 32] (axis 1 is time: three latents of one codebook), states_i.bin
float32 [F, 25], segment_idx_i.bin int32 [F], metadata_i.json; flat, or in sub-folders. v1.1: video.bin uint32
[N, 16, 16], one grid a frame, and one file for each kind of action.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.codes import CodeSpec
from hwm_core.data.mapping import map_file
from hwm_core.data.tokens import TokenEpisode
from hwm_core.errors import BadBag

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
_FOLDERS = {"video": "videos", "states": "robot_states", "segment_idx": "segment_indices", "metadata": "metadata"}
COSMOS = CodeSpec(
    kind="cosmos", codes="discrete", levels=(8, 8, 8, 5, 5, 5), latent_channels=6, temporal_factor=8, spatial_factor=8
)
"""Which tokenizer made 1X's v2.0: its metadata.json leaves it unsaid, and ours says it."""
# The like of the layout.
_V2 = {"clip_frames": 17, "shape": [3, 32, 32], "names": list(EVE_STATES), "dtype": "int32"}


@dataclass(frozen=True)
class TestSamples:
    """The compression challenge's test set: three grids seen, and the states of what is to be predicted too."""

    numbers: tuple[int, ...]  # N, of the files
    tokens: NDArray[np.int32]  # [N, 3, 32, 32]
    states: NDArray[np.float32]  # [N, 64, 25]


def is_token_set(path: Path) -> bool:
    """Whether `open_tokens` should be tried."""
    return (path / "metadata.json").exists() and (
        (path / "video.bin").exists() or any(path.glob("video_*.bin")) or any(path.glob("videos/video_*.bin"))
    )


def open_tokens(path: str | Path) -> list[TokenEpisode]:
    """The shards of a set, v2.0 or v1.1; tokens are memory-mapped. Raises BadBag for absent, cut or wrong files."""
    path = Path(path)
    metadata = read_metadata(path / "metadata.json")
    if (path / "video.bin").exists():
        return [_open_v1(path, metadata)]
    return [_open_shard(path, number, metadata) for number in range(_integer(path, metadata, "num_shards"))]


def read_spec(path: str | Path) -> CodeSpec:
    """Which tokenizer made the codes of a set. Raises BadBag, BadConfig for damaged metadata."""
    path = Path(path)
    metadata = read_metadata(path / "metadata.json")
    if (path / "video.bin").exists():
        vocabulary = int(metadata.get("vocab_size", 2**18))
        side = math.isqrt(vocabulary)
        # As 1X's own models factorise it: 2^18 codes are two digits of 512.
        levels = (side, side) if side * side == vocabulary else (vocabulary,)
        return CodeSpec(
            kind="magvit2",
            codes="discrete",
            levels=levels,
            latent_channels=len(levels),
            temporal_factor=1,
            spatial_factor=16,
        )
    return _spec(path, metadata.get("hwm", {}))


def _spec(path: Path, said: Mapping[str, Any]) -> CodeSpec:
    return CodeSpec.parse(said["codes"], where=f"{path}: codes") if "codes" in said else COSMOS


def open_test_samples(path: str | Path) -> TestSamples:
    """video_i.bin int32 [3, 32, 32] with states_i.bin float32 [64, 25]. Raises BadBag where one is absent or cut."""
    path = Path(path)
    videos = sorted(path.rglob("video_*.bin"), key=lambda file: int(file.stem.split("_")[-1]))
    if not videos:
        raise BadBag(f"Test set {path}", expected="video_*.bin", got="none", remedy="Check the path.")
    numbers = tuple(int(file.stem.split("_")[-1]) for file in videos)
    tokens, states = [], []
    for number, video in zip(numbers, videos, strict=True):
        tokens.append(_array(video, np.int32, (3, 32, 32)))
        states.append(_array(shard_file(path, "states", number, "bin"), np.float32, (64, len(EVE_STATES))))
    return TestSamples(numbers, np.stack(tokens), np.stack(states))


def read_metadata(path: Path) -> dict[str, Any]:
    """One JSON object. Raises BadBag."""
    try:
        metadata = json.loads(path.read_text())
        if not isinstance(metadata, dict):
            raise ValueError(f"a {type(metadata).__name__}")
    except (OSError, ValueError) as error:
        raise BadBag(
            f"File {path}",
            expected="a JSON object",
            got=f"{type(error).__name__}: {error}",
            remedy="Download the set again.",
        ) from error
    return metadata


def shard_file(path: Path, what: str, number: int, suffix: str) -> Path:
    """A shard's file, flat or in its sub-folder. Raises BadBag where it is in neither."""
    name = f"{what}_{number}.{suffix}"
    for file in (path / name, path / _FOLDERS[what] / name):
        if file.exists():
            return file
    raise BadBag(f"Set {path}", expected=f"{name}, or {_FOLDERS[what]}/{name}", got="neither", remedy="Download it.")


def shard_states(path: Path, number: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """States [F, width] and segments [F] of a shard of v2.0, tokens or raw. Raises BadBag, as for NaN."""
    metadata = read_metadata(file := shard_file(path, "metadata", number, "json"))
    frames = _integer(file, metadata, "shard_num_frames")
    states = _array(shard_file(path, "states", number, "bin"), np.float32, (frames, width))
    if not np.isfinite(states).all():
        raise BadBag(
            f"States {number} of {path}", expected="finite numbers", got="NaN or infinity", remedy="Download it again."
        )
    return states, _array(shard_file(path, "segment_idx", number, "bin"), np.int32, (frames,))


def _open_shard(path: Path, number: int, metadata: Mapping[str, Any]) -> TokenEpisode:
    said = {**_V2, **metadata.get("hwm", {})}
    names, clip = tuple(said["names"]), int(said["clip_frames"])
    states, segments = shard_states(path, number, len(names))
    commands = None
    if "commands" in said.get("kinds", ()):
        commands = _array(path / f"commands_{number}.bin", np.float32, states.shape)
    starts = _starts(path / f"starts_{number}.bin", clip, len(states)) if said.get("stride") else None
    shape = (-(-len(states) // clip) if starts is None else len(starts), *said["shape"])
    sources = said.get("episodes") or []
    return TokenEpisode(
        name=sources[number] if number < len(sources) else f"{path.name}_{number}",
        tokens=_array(shard_file(path, "video", number, "bin"), np.dtype(said["dtype"]), shape, mapped=True),
        clip_frames=clip,
        vocabulary=_spec(path, said).vocabulary,
        frame_rate_hz=float(metadata.get("hz", 30)),
        segments=segments,
        names=names,
        states=states if "states" in said.get("kinds", ("states",)) else None,
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


def _open_v1(path: Path, metadata: Mapping[str, Any]) -> TokenEpisode:
    frames, side = (_integer(path, metadata, key) for key in ("num_images", "s"))
    kind = np.dtype(str(metadata.get("token_dtype", "uint32")))
    columns: list[NDArray[np.float32]] = []
    names: list[str] = []
    for stem, some in _V1_FILES.items():
        file = path / "actions" / f"{stem}.bin"
        if file.exists() or stem == "joint_pos":
            columns.append(_array(file, np.float32, (frames, len(some))))
            names += some
    return TokenEpisode(
        name=path.name,
        tokens=_array(path / "video.bin", kind, (frames, 1, side, side), mapped=True),
        clip_frames=1,
        vocabulary=int(metadata.get("vocab_size", 2**18)),
        frame_rate_hz=float(metadata.get("hz", 30)),
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


def _integer(where: Path, metadata: Mapping[str, Any], key: str) -> int:
    value = metadata.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadBag(
            f"Metadata of {where}", expected=f"a whole number `{key}`", got=repr(value), remedy="Download them again."
        )
    return value
