"""A training step whose gradient is not finite, saved so that it can be computed again."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwm_core.data.batches import Batch, batch_from_plain
from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.train.state import write_state


@dataclass(frozen=True)
class BrokenStep:
    """One step, of all ranks together."""

    step: int  # optimiser steps done before it
    seed: int  # of its random numbers
    loss: float
    parameters: tuple[str, ...]  # names of the parameters without a finite gradient
    batch: Batch  # of all ranks
    weights: Mapping[str, Tensor]  # at the start of the step, after the last good step

    def __str__(self) -> str:
        if not self.parameters:
            return f"step {self.step}: loss {self.loss}, every gradient is finite, but their norm is not"
        some = ", ".join(self.parameters[:3]) + (", ..." if len(self.parameters) > 3 else "")
        return f"step {self.step}: loss {self.loss}, no finite gradient for {len(self.parameters)} weights ({some})"


class BadGradient(BadInput):
    """A gradient that is not finite; `broken` is its step, on the first rank."""

    def __init__(self, step: int, *, norm: float, loss: float, broken: BrokenStep | None) -> None:
        super().__init__(
            f"gradient of step {step}",
            expected="finite numbers",
            got=f"norm {norm}, loss {loss}",
            remedy="Lower the learning rate, or look for broken data; the last saved state is intact.",
        )
        self.broken = broken


def write_broken_step(path: Path, broken: BrokenStep) -> None:
    """Write the file atomically."""
    content = {field.name: getattr(broken, field.name) for field in fields(broken)}
    write_state(path, {**content, "batch": broken.batch.plain()})


def read_broken_step(path: Path) -> BrokenStep:
    """Read the file to the CPU. Raises BadCheckpoint where it is absent, truncated or another file."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = {field.name: content[field.name] for field in fields(BrokenStep)}
        return BrokenStep(**{**found, "batch": batch_from_plain(found["batch"])})
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(
            str(path),
            expected="a broken step that a run has saved",
            got=str(error).splitlines()[0],
            remedy="Give a file broken_step_*.pt of a run's folder.",
        ) from None
