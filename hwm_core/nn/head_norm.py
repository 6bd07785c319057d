"""Normalisation of queries and keys (QK norm), for each head."""

import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.attention_spec import AttentionSpec, Groups


def build_head_norm(spec: AttentionSpec, groups: Groups, head_dim: int) -> nn.Module:
    """The norm of the queries or keys of `groups`, as `spec.qk_norm` chooses it."""
    if spec.qk_norm == "layer":
        return HeadLayerNorms({group: nn.LayerNorm(head_dim) for group in sorted(set(groups.values()))})
    return HeadRMSNorm(head_dim) if spec.qk_norm == "rms" else NoNorm()


class HeadRMSNorm(nn.RMSNorm):
    """One RMS norm for the queries or keys of all groups.

    The weight takes the dtype of the input: under autocast torch's fused kernel requires equal dtypes.
    """

    def forward(self, x: Tensor, group: str) -> Tensor:  # type: ignore[override]
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class HeadLayerNorms(nn.ModuleDict):
    """A layer norm of queries or keys for each group."""

    def forward(self, x: Tensor, group: str) -> Tensor:
        return self[group](x).to(x.dtype)


class NoNorm(nn.Module):
    """Queries or keys without a norm."""

    def forward(self, x: Tensor, group: str) -> Tensor:
        return x
