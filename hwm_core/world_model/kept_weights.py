"""Weights in the precision in which autocast computes."""

import torch
from torch import nn


def keep_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of matrices and convolutions to `dtype`; norms and embeddings stay float32.

    Under autocast the results are bit for bit the same, without a conversion of every weight at every call. The weights
    cannot be trained further.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            layer.to(dtype).requires_grad_(False)
