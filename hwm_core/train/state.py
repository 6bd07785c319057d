"""The state of a run on disk: everything that is needed to resume it bit for bit.

`state.pt` is one file. With sharded weights every rank writes its part of a folder `state-<step>`, which loads on any
number of processes. Both are written and removed atomically; a run resumes from the newer.
"""

import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException

from hwm_core.errors import BadCheckpoint
from hwm_core.io.atomic import new_file
from hwm_core.train.ranks import Ranks


def save_state(folder: Path, state: dict[str, Any], *, sharded: bool, ranks: Ranks) -> None:
    """Write a trainer's state into the run's folder, and remove older states. All ranks call it."""
    newest = folder / (f"state-{state['step']:08d}" if sharded else "state.pt")
    if sharded:
        write_shards(newest, state, ranks)
    elif ranks.is_first:
        write_state(newest, state)
    if ranks.is_first:
        for older in set(_states(folder)) - {newest}:
            _remove(older)
    ranks.barrier()


def newest_state(folder: Path) -> Path | None:
    """The newest file state.pt or folder state-<step>."""
    return max(_states(folder), key=lambda path: path.stat().st_mtime_ns, default=None)


def _states(folder: Path) -> list[Path]:
    return [*folder.glob("state.pt"), *folder.glob("state-*")]


def _remove(state: Path) -> None:
    """Remove a state; a folder is renamed first, so that a half-removed folder is never taken for a state."""
    if state.is_dir():
        state = state.rename(state.with_name(f".{state.name}.removed"))
        shutil.rmtree(state)
    else:
        state.unlink()


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state to one file, atomically."""
    with new_file(path) as partial, partial.open("wb") as file:
        torch.save(state, file)


def read_state(path: Path) -> dict[str, Any]:
    """Read a state from one file to the CPU. Raises BadCheckpoint where it is absent, truncated or another file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint(
            str(path), expected="the state of a run", got="no such file", remedy="Start the run without resuming."
        ) from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, struct.error, ValueError, OSError) as error:
        raise _unreadable(path, error) from None


def write_shards(path: Path, state: dict[str, Any], ranks: Ranks) -> None:
    """Write every rank's part of `state` into a folder, which gets its final name when all parts are written.

    A folder with the final name is complete and holds the same step, so it is kept. Partial folders of killed
    processes are removed.
    """
    if ranks.any(path.exists()):
        return
    partial = path.with_name(f".{path.name}.partial")
    if ranks.is_first:
        for left in path.parent.glob(".state-*"):
            shutil.rmtree(left)
        partial.mkdir(parents=True)
    ranks.barrier()
    dcp.save(state, checkpoint_id=partial)
    if ranks.is_first:
        partial.rename(path)


def read_shards(path: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Fill a trainer's `state`, sharded or not, from a folder that `write_shards` wrote. Raises BadCheckpoint."""
    try:
        dcp.load(state, checkpoint_id=path, no_dist=not dist.is_initialized())
    except (
        CheckpointException,
        RuntimeError,
        ValueError,
        KeyError,
        OSError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise _unreadable(path, error) from None
    return state


def _unreadable(path: Path, error: BaseException) -> BadCheckpoint:
    return BadCheckpoint(
        str(path),
        expected="the state of a run",
        got=f"an unreadable one ({(str(error).splitlines() or [type(error).__name__])[0]})",
        remedy="It is truncated, of another configuration or no training state. Restore a copy, or start a new run.",
    )
