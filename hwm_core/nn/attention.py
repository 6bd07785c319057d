"""One attention sub-layer over streams, as its row says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.rope import rotate
from hwm_core.nn.rows import AttentionRow, Axis
from hwm_core.streams import Stream

Streams = Mapping[Stream, Tensor]
"""Tokens by stream, each [B, T, N, D]: T latents of N sites. Action streams have N = 1: the same at every site."""


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

        return KeyValue(
            join(self.key, newer.key), join(self.value, newer.value), torch.cat([self.latents, newer.latents])
        )


@dataclass(frozen=True)
class Positions:
    """Where tokens are: the latent indices of each stream, and rotary angles along either axis."""

    latents: Mapping[Stream, Tensor]  # [T] each
    time: Mapping[Stream, Tensor]  # [T, 1, head_dim/2] each
    space: Tensor  # [N, head_dim/2]


class HeadNorm(nn.RMSNorm):
    """RMS norm of queries or keys in their own precision: under autocast torch's fused kernel wants one for both."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class StreamAttention(nn.Module):
    """Multi-head attention in which each stream hears the streams that the row names, with the row's weights."""

    def __init__(self, row: AttentionRow, dim: int, num_heads: int) -> None:
        super().__init__()
        self.row, self.num_heads = row, num_heads
        self.norm = nn.ModuleDict({group: nn.LayerNorm(dim) for group in sorted(set(row.norm.values()))})
        self.query = nn.ModuleDict({g: nn.Linear(dim, dim, bias=False) for g in sorted(set(row.query.values()))})
        self.key_value = nn.ModuleDict({g: nn.Linear(dim, 2 * dim, bias=False) for g in sorted(set(row.key.values()))})
        self.out = nn.ModuleDict({g: nn.Linear(dim, dim) for g in sorted(set(row.query.values()))})
        self.query_norm = HeadNorm(dim // num_heads) if row.qk_norm else nn.Identity()
        self.key_norm = HeadNorm(dim // num_heads) if row.qk_norm else nn.Identity()

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
        queries = {s: self._queries(s, normed[s], positions) for s in x if s in live}
        if self.row.axis is Axis.SPACE:
            attended = _over_space(queries, fresh)
        else:
            attended = self._over_time(
                queries, {s: _join(cached.get(s), fresh.get(s)) for s in {**cached, **fresh}}, positions
            )
        return {s: self.out[self.row.query[s]](t) for s, t in attended.items()}, fresh

    def _angles(self, stream: Stream, positions: Positions) -> Tensor:
        return positions.space if self.row.axis is Axis.SPACE else positions.time[stream]

    def _queries(self, stream: Stream, x: Tensor, positions: Positions) -> Tensor:
        query = self.query[self.row.query[stream]](x).unflatten(-1, (self.num_heads, -1))
        return rotate(self.query_norm(query), self._angles(stream, positions))

    def _keys_values(self, stream: Stream, x: Tensor, positions: Positions) -> KeyValue:
        key, value = self.key_value[self.row.key[stream]](x).unflatten(-1, (2, self.num_heads, -1)).unbind(-3)
        return KeyValue(rotate(self.key_norm(key), self._angles(stream, positions)), value, positions.latents[stream])

    def _over_time(
        self, queries: Mapping[Stream, Tensor], heard: Mapping[Stream, KeyValue], positions: Positions
    ) -> dict[Stream, Tensor]:
        """Attention over the latents of each site; one call for the streams that hear the same streams."""
        attended = {}
        for listeners, speakers in _by_hearing(self.row, queries):
            keys = [heard[s] for s in speakers if s in heard]
            batch = len(queries[listeners[0]])
            sites = max(t.shape[2] for t in [*(queries[s] for s in listeners), *(k.key for k in keys)])
            query = torch.cat([_per_site(queries[s], batch, sites) for s in listeners], dim=3)
            key = torch.cat([_per_site(k.key, batch, sites) for k in keys], dim=3)
            value = torch.cat([_per_site(k.value, batch, sites) for k in keys], dim=3)
            mask = None
            if self.row.causal:
                now, then = (
                    torch.cat(at) for at in ([positions.latents[s] for s in listeners], [k.latents for k in keys])
                )
                mask = then[None, :] <= now[:, None]
            # Five axes make torch choose its plain kernel, which beats the tiled one on sequences of a few latents.
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            parts = out.permute(0, 3, 1, 2, 4).flatten(-2).split([queries[s].shape[1] for s in listeners], dim=1)
            for stream, part in zip(listeners, parts):
                same = part.shape[2] == queries[stream].shape[2]
                attended[stream] = part if same else part.mean(dim=2, keepdim=True)
        return attended


def _over_space(queries: Mapping[Stream, Tensor], fresh: Mapping[Stream, KeyValue]) -> dict[Stream, Tensor]:
    """Attention over the sites of each latent: every latent hears itself, so one call serves all streams."""
    streams, batch = list(queries), len(next(iter(queries.values())))
    tensors = zip(*((queries[s], fresh[s].key, fresh[s].value) for s in streams))
    query, key, value = (torch.cat(t, dim=1).flatten(0, 1).transpose(1, 2) for t in tensors)  # b t n k d -> (b t) k n d
    out = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2).unflatten(0, (batch, -1))
    return dict(zip(streams, out.split([queries[s].shape[1] for s in streams], dim=1)))


def _by_hearing(row: AttentionRow, streams: Iterable[Stream]) -> list[tuple[list[Stream], tuple[Stream, ...]]]:
    """Listeners grouped by what they hear."""
    groups: dict[tuple[Stream, ...], list[Stream]] = {}
    for stream in streams:
        groups.setdefault(row.hears[stream], []).append(stream)
    return [(listeners, speakers) for speakers, listeners in groups.items()]


def _per_site(x: Tensor, batch: int, sites: int) -> Tensor:
    """b t n k d -> b n k t d; a batch of one is shared, a stream of one site is repeated at every site."""
    return x.expand(batch, -1, sites, -1, -1).permute(0, 2, 3, 1, 4)


def _join(earlier: KeyValue | None, newer: KeyValue | None) -> KeyValue:
    if earlier is None or newer is None:
        found = earlier or newer
        assert found is not None
        return found
    return earlier.then(newer)
