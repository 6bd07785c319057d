"""The binary files of 1X sets: arrays without a header, checked against their size."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.tokens.onex_metadata import read_shard
from hwm_core.errors import BadBag
from hwm_core.io.memory_map import map_file

_FOLDERS = {"video": "videos", "states": "robot_states", "segment_idx": "segment_indices", "metadata": "metadata"}


def shard_file(path: Path, what: str, number: int, suffix: str) -> Path:
    """Path of a file of a shard, in the set itself or in its sub-folder. Raises BadBag when it is in neither."""
    name = f"{what}_{number}.{suffix}"
    for file in (path / name, path / _FOLDERS[what] / name):
        if file.exists():
            return file
    raise BadBag(f"Set {path}", expected=f"{name}, or {_FOLDERS[what]}/{name}", got="neither", remedy="Download it.")


def shard_states(
    path: Path, number: int, width: int, masked: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Read states [F, width] and segments [F] of a shard of v2.0, tokens or raw.

    Args:
        path: folder of the set.
        number: number of the shard.
        width: number of joints.
        masked: accept columns of NaN only, which mean that the robot lacks a joint.

    Raises:
        BadBag: a file is absent or truncated, or a value is not finite.
    """
    frames = read_shard(shard_file(path, "metadata", number, "json")).shard_num_frames
    states = read_joint_values(shard_file(path, "states", number, "bin"), (frames, width), masked)
    return states, read_array(shard_file(path, "segment_idx", number, "bin"), np.int32, (frames,))


def read_joint_values(file: Path, shape: tuple[int, int], masked: bool = False) -> NDArray[np.float32]:
    """Read states or commands [F, A]. `masked` and errors as `shard_states`."""
    values: NDArray[np.float32] = read_array(file, np.float32, shape)
    lacks = np.isnan(values).all(axis=0) & masked
    if not np.isfinite(values[:, ~lacks]).all():
        raise BadBag(
            f"File {file}",
            expected="finite numbers",
            got="NaN or infinity",
            remedy="Download it again, or tokenise the store again if hwm made the set.",
        )
    return values


def read_array(path: Path, dtype: Any, shape: tuple[int, ...], mapped: bool = False) -> Any:
    """Read an array without a header; only its size tells a truncated or foreign file. Raises BadBag.

    Args:
        path: file.
        dtype: type of the elements.
        shape: expected shape.
        mapped: memory-map the file.
    """
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    size = path.stat().st_size if path.exists() else None
    if size != wanted:
        raise BadBag(
            f"File {path}",
            expected=f"{wanted} bytes: {np.dtype(dtype)} {list(shape)}",
            got="no file" if size is None else f"{size} bytes",
            remedy="It was truncated, or the metadata belong to another file: download it again.",
        )
    if mapped and wanted:
        return map_file(path, wanted).view(dtype).reshape(shape)
    return np.fromfile(path, dtype=dtype).reshape(shape)
