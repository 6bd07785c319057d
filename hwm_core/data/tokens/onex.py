"""Token sets of the 1X World Model Challenge, v2.0 and v1.1, and hwm's own sets, which add metadata to v2.0.

v2.0: shards in one folder or in sub-folders::

    video_i.bin         int32 [ceil(F / 17), 3, 32, 32]; axis 1 is time, three latents of one codebook
    states_i.bin        float32 [F, 25]
    segment_idx_i.bin   int32 [F]
    metadata_i.json

v1.1: video.bin uint32 [N, 16, 16], one grid for each frame, and one file for each kind of action.
"""

import math
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex_files import read_array, read_joint_values, shard_file, shard_states
from hwm_core.data.tokens.onex_joints import EVE_JOINTS, EVE_STATES
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE, SetMetadata, read_metadata, read_metadata_v1, read_shard
from hwm_core.data.tokens.onex_test_set import is_test_set, open_test_samples
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag

# {file of v1.1: its columns}. `driving_command` and `neck_desired` are commands; v1.1 has no measurement of them.
_V1_FILES = {
    "joint_pos": EVE_JOINTS,
    "l_hand_closure": ("left_hand_closure",),
    "r_hand_closure": ("right_hand_closure",),
    "driving_command": ("driving_linear", "driving_angular"),
    "neck_desired": ("neck_desired",),
}


def is_token_set(path: Path) -> bool:
    """Whether `open_tokens` should be tried: a folder of tokens that is neither a test set nor unfinished."""
    tokens = (path / "video.bin").exists() or any(path.glob("video_*.bin")) or any(path.glob("videos/video_*.bin"))
    unfinished = (path / SETTINGS_FILE).exists() and not (path / "metadata.json").exists()
    return tokens and not unfinished and not is_test_set(path)


def find_token_sets(path: str | Path) -> list[Path]:
    """All token sets and test sets at or below `path`, sorted by name."""
    path = Path(path)
    if is_token_set(path) or is_test_set(path):
        return [path]
    folders = sorted(one for one in path.glob("*") if one.is_dir() and not one.name.startswith("."))
    return [one for folder in folders for one in find_token_sets(folder)]


def open_episodes(path: str | Path) -> list[TokenEpisode]:
    """Open a token set or a test set. Each sample of a test set is an episode of one clip. Raises BadBag."""
    path = Path(path)
    if not is_test_set(path):
        return open_tokens(path)
    samples, metadata = open_test_samples(path), SetMetadata(num_shards=1)
    return [
        TokenEpisode(
            name=f"{path.name}_{number}",
            tokens=tokens[None],
            clip_frames=metadata.hwm.clip_frames,
            vocabulary=metadata.hwm.tokenizer.vocabulary,
            frame_rate_hz=metadata.hz,
            segments=np.zeros(len(states), dtype=np.int32),
            names=EVE_STATES,
            states=states,
        )
        for number, tokens, states in zip(samples.numbers, samples.tokens, samples.states, strict=True)
    ]


def open_tokens(path: str | Path) -> list[TokenEpisode]:
    """Open the shards of a set with memory-mapped tokens. Raises BadBag for absent, truncated or wrong files."""
    path = Path(path)
    if (path / "video.bin").exists():
        return [_open_v1(path)]
    metadata = read_metadata(path)
    return [_open_shard(path, number, metadata) for number in range(metadata.num_shards)]


def count_warnings(path: Path) -> list[str]:
    """Warnings, a sentence each, about counts in the metadata.json of a v2.0 set that differ from its files."""
    with suppress(BadBag):  # the reader of the set reports the damage
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
            found.append(f"metadata.json has num_shards {shards}, but there are {files} files: the others are not read")
        if metadata.num_images not in (None, images):
            found.append(
                f"metadata.json has num_images {metadata.num_images}, but the shards have {images}, which is used"
            )
        return found
    return []


def read_spec(path: str | Path) -> TokenizerSpec:
    """The tokenizer that made a set. Raises BadBag for damaged metadata."""
    path = Path(path)
    if (path / "video.bin").exists():
        vocabulary = read_metadata_v1(path).vocab_size
        side = math.isqrt(vocabulary)
        # Factorised as in 1X's own models: 2^18 codes are two digits of 512.
        levels = (side, side) if side * side == vocabulary else (vocabulary,)
        return TokenizerSpec(
            kind="magvit2",
            codes="discrete",
            levels=levels,
            latent_channels=len(levels),
            temporal_factor=1,
            spatial_factor=16,
        )
    return read_metadata(path).hwm.tokenizer


def _open_shard(path: Path, number: int, metadata: SetMetadata) -> TokenEpisode:
    hwm = metadata.hwm
    names, clip = hwm.names or EVE_STATES, hwm.clip_frames
    masked = hwm.names is not None  # only hwm's sets have robots that lack a joint
    states, segments = shard_states(path, number, len(names), masked)
    commands = None
    if "commands" in hwm.kinds:
        commands = read_joint_values(path / f"commands_{number}.bin", (len(states), len(names)), masked)
    starts = _starts(path / f"starts_{number}.bin", clip, len(states)) if hwm.stride else None
    shape = (-(-len(states) // clip) if starts is None else len(starts), *hwm.shape)
    return TokenEpisode(
        name=hwm.episodes[number] if number < len(hwm.episodes) else f"{path.name}_{number}",
        tokens=read_array(shard_file(path, "video", number, "bin"), np.dtype(hwm.dtype), shape, mapped=True),
        clip_frames=clip,
        vocabulary=hwm.tokenizer.vocabulary,
        frame_rate_hz=metadata.hz,
        segments=segments,
        names=names,
        states=states if "states" in hwm.kinds else None,
        commands=commands,
        starts=starts,
    )


def _starts(path: Path, clip: int, frames: int) -> NDArray[np.int64]:
    """First frames of the clips of a shard with a stride. Raises BadBag."""
    size = path.stat().st_size // 8 if path.exists() else 1
    starts = read_array(path, np.int64, (size,))
    if size and (starts.min() < 0 or starts.max() + clip > frames or (np.diff(starts) <= 0).any()):
        raise BadBag(
            f"File {path}",
            expected=f"rising first frames of clips of {clip}, within {frames} frames",
            got=f"{starts.min()} to {starts.max()}",
            remedy="The file is damaged: tokenise the store again.",
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
            columns.append(read_joint_values(file, (frames, len(some))))
            names += some
    return TokenEpisode(
        name=path.name,
        tokens=read_array(path / "video.bin", np.dtype(metadata.token_dtype), shape, mapped=True),
        clip_frames=1,
        vocabulary=metadata.vocab_size,
        frame_rate_hz=metadata.hz,
        segments=read_array(path / "segment_ids.bin", np.int32, (frames,)),
        names=tuple(names),
        states=np.concatenate(columns, axis=1),
    )
