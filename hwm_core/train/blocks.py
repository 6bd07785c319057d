"""The repeated blocks of a network: the units of activation checkpointing, compilation and sharding."""

from functools import partial
from types import MethodType

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hwm_core.nn.block import Block
from hwm_core.tokenizers.causal_block import CausalBlock
from hwm_core.train.config import TrainingConfig


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """A world model's transformer blocks, or a tokenizer's residual blocks."""
    return [part for part in module.modules() if isinstance(part, (Block, CausalBlock))]


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
