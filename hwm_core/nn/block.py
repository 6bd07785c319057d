"""One transformer block: the attention sub-layers of its `BlockSpec`, then one MLP for each group of weights."""

from collections.abc import Sequence

from torch import Tensor, nn

from hwm_core.nn.attention import Positions, StreamAttention, Streams, freeze_all_but
from hwm_core.nn.attention_spec import BlockSpec
from hwm_core.nn.key_value import BlockCache
from hwm_core.nn.modulation import Conditions, Modulation
from hwm_core.streams import Stream


def mlp(dim: int, ratio: float, dropout: float = 0.0) -> nn.Sequential:
    """Linear to ratio*dim, GELU, dropout, linear back."""
    hidden = int(ratio * dim)
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class Block(nn.Module):
    """Pre-norm residual block over streams (paper section 2.4)."""

    def __init__(
        self,
        spec: BlockSpec,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        dropout: float,
        attention_dropout: float = 0.0,
        residual_dropout: float = 0.0,
    ) -> None:
        """Build the weights.

        Args:
            dropout: rate within the MLPs.
            attention_dropout: rate of attention weights.
            residual_dropout: rate of the updates that are added to the tokens.
        """
        super().__init__()
        self.spec = spec
        self.attention = nn.ModuleList(
            StreamAttention(attention, dim, num_heads, attention_dropout) for attention in spec.attention
        )
        groups = sorted(set(spec.mlp.values()))
        affine = not spec.modulation
        self.mlp_norm = nn.ModuleDict({g: nn.LayerNorm(dim, elementwise_affine=affine) for g in groups})
        self.modulation = Modulation(spec.modulation, dim)
        self.mlp = nn.ModuleDict({group: mlp(dim, mlp_ratio, dropout) for group in groups})
        self.residual_dropout = nn.Dropout(residual_dropout)

    def freeze_unused(self, live: Sequence[frozenset[Stream]]) -> None:
        """Freeze the weights that no live stream uses (`live`: see `reachability.live_streams`)."""
        for attention, streams in zip(self.attention, live):
            attention.freeze_unused(streams)
        for module in (self.mlp, self.mlp_norm):
            freeze_all_but(module, self.spec.mlp, live[-1])
        freeze_all_but(self.modulation.linear, self.spec.modulation, live[-1])

    def forward(
        self,
        x: Streams,
        positions: Positions,
        live: Sequence[frozenset[Stream]],
        cached: BlockCache | None,
        conditions: Conditions,
    ) -> tuple[dict[Stream, Tensor], BlockCache]:
        """Update the live streams; also return the keys and values of `x` in each attention sub-layer."""
        x, new = dict(x), []
        for i, attention in enumerate(self.attention):
            earlier = {} if cached is None else cached[i]
            update, keys_values = attention(x, positions, live[i], earlier, conditions)
            new.append(keys_values)
            for stream, delta in update.items():
                x[stream] = x[stream] + self.residual_dropout(delta)
        normed = {stream: self.mlp_norm[self.spec.mlp[stream]](t) for stream, t in x.items() if stream in live[-1]}
        normed, gates = self.modulation(normed, conditions)
        for stream, tokens in normed.items():
            update = self.mlp[self.spec.mlp[stream]](tokens)
            x[stream] = x[stream] + self.residual_dropout(gates[stream] * update if stream in gates else update)
        return x, tuple(new)
