"""Initial weights."""

from typing import Literal

from torch import nn

from hwm_core.nn.block import Block
from hwm_core.nn.conv_path import ConvPath
from hwm_core.nn.modulation import Modulation

Init = Literal["normal", "xavier", "fan_in"]


def initialise(model: nn.Module, init: Init, depth: int) -> None:
    """Draw the weights of all linear layers and convolutions of `model`; biases are zero.

    "normal" is N(0, 0.02), the paper's choice for the masked family (section 3.1), and that of the ST-Transformer.
    "xavier" is the paper's choice for the flow family. "fan_in" keeps activations at unit scale: N(0, 1/fan_in), and
    the layers that write to the residual stream are divided by sqrt(n), where n counts the sub-layers of all `depth`
    blocks. Narrow models need "fan_in": at 256 channels and 16 joints, N(0, 0.02) makes the embedded actions a tenth of
    the size of their tokens, and after 1,500 steps the model still ignored the actions.

    Modulation (AdaLN) starts independent of its condition: its gates are 0 (the block is the identity), or 1 with
    "fan_in".
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            if init == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.normal_(layer.weight, std=0.02 if init == "normal" else layer.weight[0].numel() ** -0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if init == "fan_in":
        for block in (part for part in model.modules() if isinstance(part, Block)):
            adding = [out for attention in block.attention for out in attention.out.values()]
            for layer in [*adding, *(mlp[-1] for mlp in block.mlp.values())]:
                layer.weight.data *= (depth * (len(block.attention) + 1)) ** -0.5
    for part in model.modules():
        if isinstance(part, Modulation):
            part.reset_parameters(gates_open=init == "fan_in")
        elif isinstance(part, ConvPath):
            part.reset_parameters()
