"""One transformer block: the attention sub-layers of its row, then an MLP per weight group."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from hwm_core.nn.attention import KeyValue, Positions, StreamAttention, Streams, freeze_all_but
from hwm_core.nn.attention_spec import BlockSpec
from hwm_core.nn.modulation import Conditions, Modulation
from hwm_core.streams import Stream

BlockCache = Sequence[Mapping[Stream, KeyValue]]
"""Keys and values of earlier latents, one mapping per attention row."""


def mlp(dim: int, ratio: float, dropout: float = 0.0) -> nn.Sequential:
    """Linear to ratio*dim, GELU, dropout, linear back."""
    hidden = int(ratio * dim)
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class Block(nn.Module):
    """Pre-norm residual block over streams (paper section 2.4)."""

    def __init__(self, row: BlockSpec, dim: int, num_heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.row = row
        self.attention = nn.ModuleList(StreamAttention(attention, dim, num_heads) for attention in row.attention)
        groups = sorted(set(row.mlp.values()))
        affine = not row.modulation
        self.mlp_norm = nn.ModuleDict({g: nn.LayerNorm(dim, elementwise_affine=affine) for g in groups})
        self.modulation = Modulation(row.modulation, dim)
        self.mlp = nn.ModuleDict({group: mlp(dim, mlp_ratio, dropout) for group in groups})

    def freeze_unused(self, live: Sequence[frozenset[Stream]]) -> None:
        """No gradient reaches what only serves streams that nothing reads later (see `hearing.live_streams`)."""
        for attention, listeners in zip(self.attention, live):
            attention.freeze_unused(listeners)
        for module in (self.mlp, self.mlp_norm):
            freeze_all_but(module, self.row.mlp, live[-1])
        freeze_all_but(self.modulation.linear, self.row.modulation, live[-1])

    def forward(
        self,
        x: Streams,
        positions: Positions,
        live: Sequence[frozenset[Stream]],
        cached: BlockCache | None,
        conditions: Conditions,
    ) -> tuple[dict[Stream, Tensor], list[dict[Stream, KeyValue]]]:
        """Update the live streams (see `hearing.live_streams`); also return every row's fresh keys and values."""
        x, fresh = dict(x), []
        for i, attention in enumerate(self.attention):
            earlier = {} if cached is None else cached[i]
            update, keys_values = attention(x, positions, live[i], earlier, conditions)
            fresh.append(keys_values)
            for stream, delta in update.items():
                x[stream] = x[stream] + delta
        normed = {stream: self.mlp_norm[self.row.mlp[stream]](t) for stream, t in x.items() if stream in live[-1]}
        normed, gates = self.modulation(normed, conditions)
        for stream, tokens in normed.items():
            update = self.mlp[self.row.mlp[stream]](tokens)
            x[stream] = x[stream] + (gates[stream] * update if stream in gates else update)
        return x, fresh
