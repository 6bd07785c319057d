"""The state of a run on disk: everything that resuming bit for bit needs, in one file written atomically."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from hwm_core.errors import BadCheckpoint


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write beside the file, flush to the disk, rename: a reader sees the old state or the new one, never half."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Read what `write_state` wrote, to the CPU. Raises BadCheckpoint when the file is absent, cut or no state."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpoint(
            str(path), expected="the state of a run", got="no such file", remedy="Start the run without resuming."
        ) from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, OSError) as error:
        raise BadCheckpoint(
            str(path),
            expected="the state of a run",
            got=f"an unreadable file ({str(error).splitlines()[0]})",
            remedy="It is cut short or no training state; restore a copy or start the run anew.",
        ) from None
