"""The processes that train together. For a single process every call here is free."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hwm_core.data.batches import B, concatenate
from hwm_core.device import flush_denormals, read_device
from hwm_core.errors import BadConfig

TIMEOUT = timedelta(hours=1)  # the other ranks wait while the first rank evaluates and writes


@dataclass(frozen=True)
class Ranks:
    """This process among the processes that train together. All of them make the same calls in the same order."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this rank reports, evaluates and writes."""
        return self.rank == 0

    def micro_batch_size(self, batch_size: int, accumulation: int) -> int:
        """Windows of one micro-batch on one rank. Raises BadConfig where the batch cannot be divided evenly."""
        if batch_size % (self.size * accumulation):
            raise BadConfig(
                "`batch_size`",
                expected=f"a multiple of {self.size * accumulation}: {self.size} processes, "
                f"`accumulation` {accumulation}",
                got=batch_size,
                remedy="It is the batch of all processes together; change it, or the number of processes.",
            )
        return batch_size // (self.size * accumulation)

    def broadcast(self, value: float) -> float:
        """The first rank's value, on every rank."""
        if self.size == 1:
            return value
        box = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(box, src=0)
        return box.item()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.size == 1:
            return flag
        box = torch.tensor(flag, dtype=torch.int64)
        dist.all_reduce(box, dist.ReduceOp.MAX)
        return bool(box)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the ranks, on the CPU."""
        values = values.detach().cpu()
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def mean(self, metrics: Mapping[str, Tensor | float]) -> dict[str, float]:
        """Each metric's mean over the ranks."""
        values = torch.tensor([float(value) for value in metrics.values()], dtype=torch.float64)
        return dict(zip(metrics, (self.sum(values) / self.size).tolist()))

    def gather(self, batch: B) -> B | None:
        """The windows of all ranks, in the order of the ranks, on the first rank's CPU; None on the other ranks."""
        own = batch.to("cpu")
        if self.size == 1:
            return own
        shares: list[Any] | None = [None] * self.size if self.is_first else None
        dist.gather_object(own, shares)
        return None if shares is None else concatenate(shares)

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        if self.size > 1:
            self.any(False)  # over gloo: NCCL's barrier would use the GPUs


@contextmanager
def join_ranks(device: str | torch.device) -> Iterator[Ranks]:
    """Join the group in which `torchrun` started this process; without torchrun, this process alone.

    Tensors on the CPU go through gloo, tensors on GPUs through NCCL, with one GPU per process.

    Raises:
        BadConfig: the machine does not have the device, or has fewer GPUs than processes.
    """
    chosen = read_device(device)
    flush_denormals()
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        yield Ranks(chosen)
        return
    if chosen.type == "cuda":
        chosen = read_device("cuda", dist.get_node_local_rank())
        torch.cuda.set_device(chosen)
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield Ranks(chosen, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
