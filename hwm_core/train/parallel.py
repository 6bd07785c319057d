"""How weights and gradients are placed on the ranks: replicated (DDP) or sharded (FSDP).

DDP and FSDP act when a module's forward is called, but a task's loss calls other methods of its module. So both wrap
`LossModule`, whose forward is the task's loss: DDP then sums gradients while backward still runs, and FSDP gathers the
weights that belong to no block.
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
from hwm_core.precision import read_precision
from hwm_core.train.blocks import blocks_of, prepare_blocks
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_average
from hwm_core.train.ranks import Ranks
from hwm_core.train.training_task import TrainingTask


class Parallel(Protocol):
    """A task's module over the ranks."""

    loss: nn.Module  # (batch, generator) -> the task's loss
    average: AveragedModel | None
    sharded: bool

    def micro_batch(self, last: bool) -> AbstractContextManager:
        """The context of a micro-batch's forward and backward; gradients are complete after the last."""
        ...

    def weights(self) -> dict[str, Tensor] | None:
        """The full weights in training, on the first rank's CPU; None on the other ranks. All ranks call it."""
        ...

    def result(self) -> Any:
        """The module to evaluate and export, the moving average if there is one; None on the other ranks.

        All ranks call it.
        """
        ...


class Replicated:
    """All weights on every rank; with several ranks DDP averages the gradients."""

    sharded = False

    def __init__(self, task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> None:
        self._module, self._ranks = task.module.to(ranks.device), ranks
        self.average = build_average(self._module, config.ema_decay) if config.ema_decay else None
        prepare_blocks(self._module, config)
        self.loss: nn.Module = LossModule(task)
        if ranks.size > 1:
            self.loss = DistributedDataParallel(self.loss, gradient_as_bucket_view=True)

    def micro_batch(self, last: bool) -> AbstractContextManager:
        return nullcontext() if last or self._ranks.size == 1 else self.loss.no_sync()

    def weights(self) -> dict[str, Tensor] | None:
        return {name: value.detach().cpu().clone() for name, value in self._module.state_dict().items()}

    def result(self) -> Any:
        return self.average.module if self.average is not None else self._module


class Sharded:
    """A shard of every weight on every rank (FSDP2), block by block: a block's weights are gathered to compute it.

    On GPUs in bfloat16 the blocks' weights are gathered as bfloat16, the type that autocast uses; gradients are always
    reduced in float32.
    """

    sharded = True

    def __init__(self, task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> None:
        if config.optimiser == "muon":
            raise BadConfig(
                "`parallel`: fsdp",
                expected="`optimiser: adamw`",
                got="`muon`, which orthogonalises full matrices, not shards",
                remedy="Use `parallel: ddp`, or adamw.",
            )
        self._module, self._ranks = task.module, ranks
        self._full = deepcopy(self._module) if ranks.is_first else None
        self.average = build_average(self._module, config.ema_decay) if config.ema_decay else None
        prepare_blocks(self._module, config)
        self.loss: nn.Module = LossModule(task)
        self._shard(self.loss, config)
        if self.average is not None:
            self._shard(self.average.module, config)
            self.average.to(ranks.device)

    def micro_batch(self, last: bool) -> AbstractContextManager:
        return nullcontext()  # gradients are sharded after every micro-batch: full gradients would not fit

    def weights(self) -> dict[str, Tensor] | None:
        return self._gathered(self._module)

    def result(self) -> Any:
        weights = self._gathered(self._module if self.average is None else self.average.module)
        if self._full is None or weights is None:
            return None
        self._full.load_state_dict(weights)
        return deepcopy(self._full).to(self._ranks.device)

    def _gathered(self, module: nn.Module) -> dict[str, Tensor] | None:
        weights: Any = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        return weights if self._ranks.is_first else None

    def _shard(self, root: nn.Module, config: TrainingConfig) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        # FSDP2 warns of blocks that return views, which callers could change in place; none does.
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
        mesh = init_device_mesh(self._ranks.device.type, (self._ranks.size,))
        # Layer norm on a CPU needs weights and tokens of one type; tokens and angles stay float32, as under autocast.
        dtype = read_precision(config.precision, self._ranks.device)
        half = self._ranks.device.type == "cuda" and dtype is torch.bfloat16
        of_blocks = MixedPrecisionPolicy(torch.bfloat16 if half else None, torch.float32, cast_forward_inputs=False)
        for block in blocks_of(root):
            fully_shard(block, mesh=mesh, mp_policy=of_blocks)
        fully_shard(
            root, mesh=mesh, mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32, cast_forward_inputs=False)
        )


class LossModule(nn.Module):
    """A task's loss as a module's forward."""

    def __init__(self, task: TrainingTask[Any]) -> None:
        super().__init__()
        self.module, self._loss = task.module, task.loss

    def forward(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._loss(batch, generator)


def parallelise(task: TrainingTask[Any], config: TrainingConfig, ranks: Ranks) -> Parallel:
    """Place a task's module on the ranks as the recipe says; a single process always holds all weights."""
    if config.parallel == "fsdp" and ranks.size > 1:
        return Sharded(task, config, ranks)
    return Replicated(task, config, ranks)


def full_tensor(tensor: Tensor) -> Tensor:
    """The full tensor, gathered where it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_tensor(tensor: Tensor) -> Tensor:
    """This rank's shard of the tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
