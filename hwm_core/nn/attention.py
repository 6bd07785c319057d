"""One attention sub-layer over streams, as its row says."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.rope import rotate
from hwm_core.nn.rows import AttentionRow, Axis
from hwm_core.streams import Stream

Streams = Mapping[Stream, Tensor]
"""Tokens by stream, each [B, T, N, D]: T latents of N sites. Action streams have N = 1: they are the same at every site."""


@dataclass(frozen=True)
class KeyValue:
    """Projected, rotated keys and values of some latents of one stream: [B, T, N, K, head_dim] each."""

    key: Tensor
    value: Tensor
    latents: Tensor  # [T] latent indices

    def then(self, newer: "KeyValue") -> "KeyValue":
        """These latents followed by `newer` ones; a batch of one is shared by all of the newer batch."""
        batch = newer.key.shape[0]

        def join(a: Tensor, b: Tensor) -> Tensor:
            return torch.cat([a.expand(batch, *a.shape[1:]), b], dim=1)

        return KeyValue(join(self.key, newer.key), join(self.value, newer.value), torch.cat([self.latents, newer.latents]))


@dataclass(frozen=True)
class Positions:
    """Where tokens are: the latent indices of each stream, and rotary angles along either axis."""

    latents: Mapping[Stream, Tensor]  # [T] each
    time: Mapping[Stream, Tensor]  # [T, 1, head_dim/2] each
    space: Tensor  # [N, head_dim/2]


class StreamAttention(nn.Module):
    """Multi-head attention in which each stream hears the streams that the row names, with the row's weights."""

    def __init__(self, row: AttentionRow, dim: int, num_heads: int) -> None:
        super().__init__()
        self.row, self.num_heads = row, num_heads
        self.norm = nn.ModuleDict({group: nn.LayerNorm(dim) for group in sorted(set(row.norm.values()))})
        self.query = nn.ModuleDict({g: nn.Linear(dim, dim, bias=False) for g in sorted(set(row.query.values()))})
        self.key_value = nn.ModuleDict({g: nn.Linear(dim, 2 * dim, bias=False) for g in sorted(set(row.key.values()))})
        self.out = nn.ModuleDict({g: nn.Linear(dim, dim) for g in sorted(set(row.query.values()))})
        self.query_norm = nn.RMSNorm(dim // num_heads) if row.qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(dim // num_heads) if row.qk_norm else nn.Identity()

    def forward(
        self, x: Streams, positions: Positions, live: frozenset[Stream], cached: Mapping[Stream, KeyValue]
    ) -> tuple[dict[Stream, Tensor], dict[Stream, KeyValue]]:
        """Attend.

        Args:
            x: tokens by stream.
            live: the streams whose output is used; others are heard but not updated.
            cached: keys and values of earlier latents, heard before those of `x`.

        Returns:
            Residual updates of the live streams, and the keys and values of `x` (for a cache).
        """
        normed = {s: self.norm[self.row.norm[s]](t) if s in self.row.norm else t for s, t in x.items()}
        fresh = {s: self._keys_values(s, normed[s], positions) for s in x if s in self.row.key}
        heard = {s: _join(cached.get(s), fresh.get(s)) for s in {*cached, *fresh}}
        update = {}
        for stream in x:
            if stream in live:
                speakers = [heard[s] for s in self.row.hears[stream] if s in heard]
                attended = self._attend(stream, normed[stream], speakers, positions)
                update[stream] = self.out[self.row.query[stream]](attended)
        return update, fresh

    def _keys_values(self, stream: Stream, x: Tensor, positions: Positions) -> KeyValue:
        key, value = self.key_value[self.row.key[stream]](x).unflatten(-1, (2, self.num_heads, -1)).unbind(-3)
        return KeyValue(rotate(self.key_norm(key), self._angles(stream, positions)), value, positions.latents[stream])

    def _angles(self, stream: Stream, positions: Positions) -> Tensor:
        return positions.space if self.row.axis is Axis.SPACE else positions.time[stream]

    def _attend(self, stream: Stream, x: Tensor, speakers: list[KeyValue], positions: Positions) -> Tensor:
        query = self.query[self.row.query[stream]](x).unflatten(-1, (self.num_heads, -1))
        query = rotate(self.query_norm(query), self._angles(stream, positions))
        if self.row.axis is Axis.SPACE:
            (own,) = speakers  # b t n k d -> b t k n d: the sites of one latent hear each other
            heads = (t.transpose(2, 3) for t in (query, own.key, own.value))
            return F.scaled_dot_product_attention(*heads).transpose(2, 3).flatten(-2)
        sites = max(query.shape[2], *(s.key.shape[2] for s in speakers))
        mask = self._mask(positions.latents[stream], torch.cat([s.latents for s in speakers]))
        query = _per_site(query, sites)
        key = torch.cat([_per_site(s.key.expand(len(x), *s.key.shape[1:]), sites) for s in speakers], dim=3)
        value = torch.cat([_per_site(s.value.expand(len(x), *s.value.shape[1:]), sites) for s in speakers], dim=3)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = out.permute(0, 3, 1, 2, 4).flatten(-2)  # b n k t d -> b t n (k d)
        return out if x.shape[2] == sites else out.mean(dim=2, keepdim=True)

    def _mask(self, now: Tensor, then: Tensor) -> Tensor | None:
        """[T_query, T_key], True where heard."""
        return then[None, :] <= now[:, None] if self.row.causal else None


def _per_site(x: Tensor, sites: int) -> Tensor:
    """b t n k d -> b n k t d, a stream of one site repeated at every site."""
    return x.expand(-1, -1, sites, -1, -1).permute(0, 2, 3, 1, 4)


def _join(earlier: KeyValue | None, newer: KeyValue | None) -> KeyValue:
    if earlier is None or newer is None:
        found = earlier or newer
        assert found is not None
        return found
    return earlier.then(newer)
