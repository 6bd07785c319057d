"""Weights in the precision in which autocast computes."""

import torch
from torch import nn

from hwm_core.precision import read_precision
from hwm_core.precision_name import Precision
from hwm_core.world_model.checkpoint_files import WeightType


def arithmetic_type(name: Precision, weights: WeightType, device: torch.device) -> torch.dtype:
    """The type of a precision for a model whose file holds such `weights`: `auto` does not round float32."""
    return torch.float32 if name == "auto" and weights == "float32" else read_precision(name, device)


def keep_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of matrices and convolutions to `dtype`; norms and embeddings stay float32.

    Under autocast the results are bit for bit the same, without a conversion of every weight at every call. The weights
    cannot be trained further.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            layer.to(dtype).requires_grad_(False)
