"""One transformer block: the attention sub-layers of its row, then an MLP per weight group."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from hwm_core.nn.attention import KeyValue, Positions, StreamAttention, Streams
from hwm_core.nn.rows import BlockRow
from hwm_core.streams import Stream

BlockCache = Sequence[Mapping[Stream, KeyValue]]
"""Keys and values of earlier latents, one mapping per attention row."""


def mlp(dim: int, ratio: float, dropout: float = 0.0) -> nn.Sequential:
    """Linear to ratio*dim, GELU, dropout, linear back."""
    hidden = int(ratio * dim)
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class Block(nn.Module):
    """Pre-norm residual block over streams (paper section 2.4)."""

    def __init__(self, row: BlockRow, dim: int, num_heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.row = row
        self.attention = nn.ModuleList(StreamAttention(attention, dim, num_heads) for attention in row.attention)
        groups = sorted(set(row.mlp.values()))
        self.mlp_norm = nn.ModuleDict({group: nn.LayerNorm(dim) for group in groups})
        self.mlp = nn.ModuleDict({group: mlp(dim, mlp_ratio, dropout) for group in groups})

    def forward(
        self, x: Streams, positions: Positions, live: Sequence[frozenset[Stream]], cached: BlockCache | None
    ) -> tuple[dict[Stream, Tensor], list[dict[Stream, KeyValue]]]:
        """Update the live streams (see `hearing.live_streams`); also return every row's fresh keys and values."""
        x, fresh = dict(x), []
        for i, attention in enumerate(self.attention):
            update, keys_values = attention(x, positions, live[i], {} if cached is None else cached[i])
            fresh.append(keys_values)
            for stream, delta in update.items():
                x[stream] = x[stream] + delta
        for stream in x.keys() & live[-1]:
            group = self.row.mlp[stream]
            x[stream] = x[stream] + self.mlp[group](self.mlp_norm[group](x[stream]))
        return x, fresh
