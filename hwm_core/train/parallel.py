"""How weights and gradients lie on the ranks: the same on every rank, or cut into shards.

Both meet the trainee in one place, a module whose forward is the trainee's loss. DDP and FSDP act when a module's
forward is called, and the trainees call other methods of theirs; behind this one, DDP sums gradients while backward
still runs, and FSDP gathers the weights that belong to no block.
"""

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from hwm_core.data.batches import Batch
from hwm_core.errors import BadConfig
from hwm_core.train.blocks import blocks_of, prepare_blocks
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_average
from hwm_core.train.ranks import Ranks
from hwm_core.train.task import TrainingTask


class Parallel(Protocol):
    """A trainee's module over the ranks."""

    loss: nn.Module  # (batch, generator) -> the trainee's loss
    average: AveragedModel | None
    sharded: bool

    def part(self, last: bool) -> AbstractContextManager:
        """Within it a part of a batch goes forward and backward; gradients are whole after the last."""
        ...

    def weights(self) -> dict[str, Tensor] | None:
        """Whole weights as they are trained, on the first rank's CPU; None on others. All ranks call it."""
        ...

    def result(self) -> Any:
        """The weights to evaluate and to ship, the average where there is one: a module, or None but on the first rank.

        All ranks call it.
        """
        ...


class Replicas:
    """All weights on every rank; with several, DDP makes their gradients one."""

    sharded = False

    def __init__(self, task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> None:
        self._module, self._ranks = task.module.to(ranks.device), ranks
        self.average = build_average(self._module, config.ema_decay) if config.ema_decay else None
        prepare_blocks(self._module, config)
        self.loss: nn.Module = Loss(task)
        if ranks.size > 1:
            self.loss = DistributedDataParallel(self.loss, gradient_as_bucket_view=True)

    def part(self, last: bool) -> AbstractContextManager:
        return nullcontext() if last or self._ranks.size == 1 else self.loss.no_sync()

    def weights(self) -> dict[str, Tensor] | None:
        return {name: value.detach().cpu().clone() for name, value in self._module.state_dict().items()}

    def result(self) -> Any:
        return self.average.module if self.average is not None else self._module


class Shards:
    """A part of every weight on every rank (FSDP2), block by block; a block's weights are whole while it computes.

    On GPUs in bfloat16 the weights of blocks travel as bfloat16, which is what autocast makes of them; gradients
    always travel as float32.
    """

    sharded = True

    def __init__(self, task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> None:
        if config.optimiser == "muon":
            raise BadConfig(
                "`parallel`: fsdp",
                expected="`optimiser: adamw`",
                got="`muon`, which makes whole matrices orthogonal, not shards of them",
                remedy="Use `parallel: ddp`, or adamw.",
            )
        self._module, self._ranks = task.module, ranks
        self._whole = deepcopy(self._module) if ranks.first else None
        self.average = build_average(self._module, config.ema_decay) if config.ema_decay else None
        prepare_blocks(self._module, config)
        self.loss: nn.Module = Loss(task)
        self._shard(self.loss, config)
        if self.average is not None:
            self._shard(self.average.module, config)
            self.average.to(ranks.device)

    def part(self, last: bool) -> AbstractContextManager:
        return nullcontext()  # gradients are cut into shards part by part: whole ones would not fit

    def weights(self) -> dict[str, Tensor] | None:
        return self._gathered(self._module)

    def result(self) -> Any:
        weights = self._gathered(self._module if self.average is None else self.average.module)
        if self._whole is None or weights is None:
            return None
        self._whole.load_state_dict(weights)
        return deepcopy(self._whole).to(self._ranks.device)

    def _gathered(self, module: nn.Module) -> dict[str, Tensor] | None:
        weights: Any = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        return weights if self._ranks.first else None

    def _shard(self, root: nn.Module, config: TrainingConfig) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        # It warns of views that blocks return, lest someone change them in place; nobody does.
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
        mesh = init_device_mesh(self._ranks.device.type, (self._ranks.size,))
        # A CPU's layer norm wants weights and tokens of one type; tokens and angles stay float32, as under autocast.
        half = config.precision == "bfloat16" and self._ranks.device.type == "cuda"
        of_blocks = MixedPrecisionPolicy(torch.bfloat16 if half else None, torch.float32, cast_forward_inputs=False)
        for block in blocks_of(root):
            fully_shard(block, mesh=mesh, mp_policy=of_blocks)
        fully_shard(
            root, mesh=mesh, mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32, cast_forward_inputs=False)
        )


class Loss(nn.Module):
    """A trainee's loss as a module's forward."""

    def __init__(self, task: TrainingTask[Any]) -> None:
        super().__init__()
        self.module, self._loss = task.module, task.loss

    def forward(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._loss(batch, generator)


def share_out(task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> Parallel:
    """Lay a trainee's module out as the recipe says. One process alone has all weights."""
    if config.parallel == "fsdp" and ranks.size > 1:
        return Shards(task, config, ranks)
    return Replicas(task, config, ranks)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, of which this rank may hold a shard."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
