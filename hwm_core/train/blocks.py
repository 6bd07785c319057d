"""The repeated blocks of a network: what is recomputed, compiled and sharded one by one."""

from functools import partial
from types import MethodType

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hwm_core.nn.block import Block
from hwm_core.tokenizers.causal import CausalBlock
from hwm_core.train.config import TrainingConfig


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """A world model's transformer blocks, a tokenizer's residual blocks."""
    return [part for part in module.modules() if isinstance(part, (Block, CausalBlock))]


def prepare_blocks(module: nn.Module, config: TrainingConfig) -> None:
    """Recompute and compile the blocks as the recipe says, in place; weights keep their names.

    Both are bound methods at heart, so that a copy of the module computes with its own weights. What is recomputed is
    the compiled block: torch skips a checkpoint inside of what it compiles.
    """
    for block in blocks_of(module):
        if config.compile:
            block.forward = MethodType(torch.compile(type(block).forward), block)
        if config.recompute:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
