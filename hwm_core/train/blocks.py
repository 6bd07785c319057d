"""The repeated blocks of a network: the units of activation checkpointing, compilation and sharding."""

from functools import partial
from types import MethodType
from typing import Protocol, runtime_checkable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hwm_core.nn.block import Block
from hwm_core.tokenizers.causal_block import CausalBlock
from hwm_core.train.config import TrainingConfig


@runtime_checkable
class DeclaresBlocks(Protocol):
    """A module that declares its repeated blocks, which come from another library."""

    @property
    def repeated_blocks(self) -> list[nn.Module]: ...


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """A world model's transformer blocks, or a tokenizer's residual blocks."""
    parts = list(module.modules())
    declared = [block for part in parts if isinstance(part, DeclaresBlocks) for block in part.repeated_blocks]
    return [*declared, *(part for part in parts if isinstance(part, (Block, CausalBlock)))]


def prepare_blocks(module: nn.Module, config: TrainingConfig) -> None:
    """Apply torch.compile and activation checkpointing to the blocks, in place; the names of weights stay the same.

    Both replace `forward` by a bound method, so that a copy of the module computes with its own weights. Checkpointing
    wraps the compiled forward, because torch ignores a checkpoint inside a compiled function.
    """
    for block in blocks_of(module):
        if config.compile:
            block.forward = MethodType(torch.compile(type(block).forward), block)
        if config.activation_checkpointing:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
