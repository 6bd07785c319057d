"""The processes that train together. One alone is a group of one, for which every call here is free."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hwm_core.data.batches import B, concatenate
from hwm_core.device import read_device
from hwm_core.errors import BadConfig

PATIENCE = timedelta(hours=1)  # while the first rank evaluates and writes, the others wait for it


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together. All of them make the same calls in the same order."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that reports, evaluates and writes."""
        return self.rank == 0

    def share(self, batch_size: int, parts: int) -> int:
        """Rows of one part of this rank's share of a batch. Raises BadConfig where they do not come out even."""
        if batch_size % (self.size * parts):
            raise BadConfig(
                "`batch_size`",
                expected=f"a multiple of {self.size * parts}: {self.size} processes, `accumulation` {parts}",
                got=batch_size,
                remedy="It is the batch of all processes together; change it, or the number of processes.",
            )
        return batch_size // (self.size * parts)

    def agree(self, value: float) -> float:
        """The first rank's value, on every rank: clocks differ."""
        if self.size == 1:
            return value
        box = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(box, src=0)
        return box.item()

    def any(self, flag: bool) -> bool:
        """Whether it holds on any rank."""
        if self.size == 1:
            return flag
        box = torch.tensor(flag, dtype=torch.int64)
        dist.all_reduce(box, dist.ReduceOp.MAX)
        return bool(box)

    def sum(self, values: Tensor) -> Tensor:
        """Added over the ranks, on the CPU."""
        values = values.detach().cpu()
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def mean(self, numbers: Mapping[str, Tensor | float]) -> dict[str, float]:
        """Each number's mean over the ranks."""
        values = torch.tensor([float(value) for value in numbers.values()], dtype=torch.float64)
        return dict(zip(numbers, (self.sum(values) / self.size).tolist()))

    def gather(self, batch: B) -> B | None:
        """The windows of all ranks, in the order of the ranks, on the first rank's CPU; None on the other ranks."""
        own = batch.to("cpu")
        if self.size == 1:
            return own
        shares: list[Any] | None = [None] * self.size if self.first else None
        dist.gather_object(own, shares)
        return None if shares is None else concatenate(shares)

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.size > 1:
            self.any(False)  # over gloo: NCCL's barrier would touch the GPUs


@contextmanager
def joined_ranks(device: str | torch.device) -> Iterator[Ranks]:
    """The group that `torchrun` started this process in, or this process alone.

    Tensors on the CPU go through gloo, those on GPUs through NCCL, one GPU to a process. Raises BadConfig for what is
    no device of this machine, or where it has fewer GPUs than processes.
    """
    place = read_device(device)
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        yield Ranks(place)
        return
    if place.type == "cuda":
        place = read_device("cuda", dist.get_node_local_rank())
        torch.cuda.set_device(place)
    dist.init_process_group("cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(place, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
