"""The state of a run on disk: everything that resuming bit for bit needs.

`state.pt` is one file. Where weights are sharded, every rank writes its own part of a folder `state-<step>`, which
loads on any number of processes. Both appear and disappear whole, and the newer one is the run's.
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


def save_run(folder: Path, state: dict[str, Any], *, sharded: bool, ranks: Ranks) -> None:
    """Write a trainer's state as the newest of the run in `folder`. All ranks call it."""
    newest = folder / (f"state-{state['step']:08d}" if sharded else "state.pt")
    if sharded:
        write_shards(newest, state, ranks)
    elif ranks.first:
        write_state(newest, state)
    if ranks.first:
        for older in set(_states(folder)) - {newest}:
            _remove(older)
    ranks.wait()


def newest_state(folder: Path) -> Path | None:
    """The file or folder to resume from."""
    return max(_states(folder), key=lambda path: path.stat().st_mtime_ns, default=None)


def _states(folder: Path) -> list[Path]:
    return [*folder.glob("state.pt"), *folder.glob("state-*")]


def _remove(state: Path) -> None:
    """A folder loses its name first, so that one of which half is gone is never taken for a state."""
    if state.is_dir():
        state = state.rename(state.with_name(f".{state.name}.removed"))
        shutil.rmtree(state)
    else:
        state.unlink()


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state whole or not at all."""
    with new_file(path) as partial, partial.open("wb") as file:
        torch.save(state, file)


def read_state(path: Path) -> dict[str, Any]:
    """Read what `write_state` wrote, to the CPU. Raises BadCheckpoint when the file is absent, cut or no state."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint(
            str(path), expected="the state of a run", got="no such file", remedy="Start the run without resuming."
        ) from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, struct.error, ValueError, OSError) as error:
        raise _unreadable(path, error) from None


def write_shards(path: Path, state: dict[str, Any], ranks: Ranks) -> None:
    """Write every rank's part of `state` into a folder that takes its name when all have done so.

    One that has its name already is whole, and of the same step the same: it stays. What killed processes left is
    cleared away.
    """
    if ranks.any(path.exists()):
        return
    partial = path.with_name(f".{path.name}.partial")
    if ranks.first:
        for left in path.parent.glob(".state-*"):
            shutil.rmtree(left)
        partial.mkdir(parents=True)
    ranks.wait()
    dcp.save(state, checkpoint_id=partial)
    if ranks.first:
        partial.rename(path)


def read_shards(path: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Fill a trainer's `state`, whatever its layout, from what `write_shards` wrote. Raises BadCheckpoint."""
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
        remedy="It is cut short, of another configuration or no training state; restore a copy or start the run anew.",
    )
