"""One attention sub-layer over streams, as its row says."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.attention_spec import AttentionSpec, Axis, Groups
from hwm_core.nn.modulation import Conditions, Modulation
from hwm_core.nn.rope import rotate
from hwm_core.streams import Stream

Streams = Mapping[Stream, Tensor]
"""Tokens by stream, each [B, T, N, D]: T latents of N sites.

Action streams have N = 1. Along time they are latents too, heard at every site; in attention over all tokens they are
frames.
"""


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

    def beside(self, other: "KeyValue", batch: int) -> "KeyValue":
        """Two contexts, each shared by `batch` samples (or of that batch), as one batch."""
        key, value = beside(self.key, other.key, batch), beside(self.value, other.value, batch)
        return KeyValue(key, value, self.latents)


def beside(a: Tensor, b: Tensor, batch: int) -> Tensor:
    """[batch or 1, ...] and [batch or 1, ...] as one [2 * batch, ...]."""
    return torch.cat([a.expand(batch, *a.shape[1:]), b.expand(batch, *b.shape[1:])])


@dataclass(frozen=True)
class Positions:
    """Where tokens are: the latent indices of each stream, and rotary angles along each axis that a row uses."""

    latents: Mapping[Stream, Tensor]  # [T] each; frame indices of actions that are frames
    angles: Mapping[Axis, Mapping[Stream, Tensor]]  # broadcast against [T, N, head_dim/2]


class HeadNorm(nn.RMSNorm):
    """One RMS norm for the queries or keys of all groups.

    In their own precision: under autocast torch's fused kernel wants one for both.
    """

    def forward(self, x: Tensor, group: str) -> Tensor:  # type: ignore[override]
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class HeadNorms(nn.ModuleDict):
    """A layer norm of queries or keys for each group."""

    def forward(self, x: Tensor, group: str) -> Tensor:
        return self[group](x).to(x.dtype)


class NoNorm(nn.Module):
    """Queries or keys as they are."""

    def forward(self, x: Tensor, group: str) -> Tensor:
        return x


class StreamAttention(nn.Module):
    """Multi-head attention in which each stream hears the streams that the row names, with the row's weights."""

    def __init__(self, row: AttentionSpec, dim: int, num_heads: int) -> None:
        super().__init__()
        self.row, self.num_heads = row, num_heads
        self.norm = _modules(row.norm, lambda: nn.LayerNorm(dim, elementwise_affine=not row.modulation))
        self.modulation = Modulation(row.modulation, dim)
        self.query = _modules(row.query, lambda: nn.Linear(dim, dim, bias=False))
        self.key_value = _modules(row.key, lambda: nn.Linear(dim, 2 * dim, bias=False))
        self.out = _modules(row.out, lambda: nn.Linear(dim, dim))
        self.query_norm = _head_norm(row, row.query, dim // num_heads)
        self.key_norm = _head_norm(row, row.key, dim // num_heads)

    def freeze_unused(self, listeners: frozenset[Stream]) -> None:
        """Freeze weights that neither the `listeners`, whose output is used, nor the streams they hear, go through."""
        row, speakers = self.row, {speaker for listener in listeners for speaker in self.row.attends_to[listener]}
        freeze_all_but(self.norm, row.norm, listeners | speakers)
        freeze_all_but(self.modulation.linear, row.modulation, listeners | speakers)
        for module, groups in ((self.query, row.query), (self.query_norm, row.query), (self.out, row.out)):
            freeze_all_but(module, groups, listeners)
        for module in (self.key_value, self.key_norm):
            freeze_all_but(module, row.key, speakers)

    def forward(
        self,
        x: Streams,
        positions: Positions,
        live: frozenset[Stream],
        cached: Mapping[Stream, KeyValue],
        conditions: Conditions,
    ) -> tuple[dict[Stream, Tensor], dict[Stream, KeyValue]]:
        """Attend.

        Args:
            x: tokens by stream.
            live: the streams whose output is used; others are heard but not updated.
            cached: keys and values of earlier latents, heard before those of `x`.
            conditions: what modulates each stream; not read by a row without modulation.

        Returns:
            Residual updates of the live streams, and the keys and values of `x` (for a cache).
        """
        used = {s: t for s, t in x.items() if s in self.row.key or s in live}
        normed = {s: self.norm[self.row.norm[s]](t) if s in self.row.norm else t for s, t in used.items()}
        normed, gates = self.modulation(normed, conditions)
        fresh = {s: self._keys_values(s, normed[s], positions) for s in x if s in self.row.key}
        queries = {s: self._queries(s, normed[s], positions) for s in x if s in live}
        if not queries:
            return {}, fresh
        if self.row.axis is Axis.SPACE:
            attended = _over_space(queries, fresh)
        else:
            heard = {s: _join(cached.get(s), fresh.get(s)) for s in {**cached, **fresh}}
            over = self._over_time if self.row.axis is Axis.TIME else self._over_all
            attended = over(queries, heard, positions)
        updates = {s: self.out[self.row.out[s]](t) for s, t in attended.items()}
        return {s: gates[s] * t if s in gates else t for s, t in updates.items()}, fresh

    def _queries(self, stream: Stream, x: Tensor, positions: Positions) -> Tensor:
        group = self.row.query[stream]
        query = self.query[group](x).unflatten(-1, (self.num_heads, -1))
        return rotate(self.query_norm(query, group), positions.angles[self.row.axis][stream])

    def _keys_values(self, stream: Stream, x: Tensor, positions: Positions) -> KeyValue:
        group = self.row.key[stream]
        key, value = self.key_value[group](x).unflatten(-1, (2, self.num_heads, -1)).unbind(-3)
        key = rotate(self.key_norm(key, group), positions.angles[self.row.axis][stream])
        return KeyValue(key, value, positions.latents[stream])

    def _over_all(
        self, queries: Mapping[Stream, Tensor], heard: Mapping[Stream, KeyValue], positions: Positions
    ) -> dict[Stream, Tensor]:
        """Attention over every token; one call for the streams that hear the same streams."""
        attended = {}
        for listeners, speakers in _by_hearing(self.row, queries):
            keys = [heard[s] for s in speakers if s in heard]
            batch = len(queries[listeners[0]])
            query = torch.cat([queries[s].flatten(1, 2) for s in listeners], dim=1).transpose(1, 2)
            key = torch.cat([_every_token(k.key, batch) for k in keys], dim=1).transpose(1, 2)
            value = torch.cat([_every_token(k.value, batch) for k in keys], dim=1).transpose(1, 2)
            out = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2)
            shapes = [queries[s].shape[1:3] for s in listeners]
            for stream, part, shape in zip(listeners, out.split([t * n for t, n in shapes], dim=1), shapes):
                attended[stream] = part.unflatten(1, shape)
        return attended

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


def freeze_all_but(modules: nn.Module, groups: Groups, used: Collection[Stream]) -> None:
    """Freeze the weights of the groups that none of the `used` streams belongs to; what has no groups stays."""
    if isinstance(modules, nn.ModuleDict):
        for group in set(groups.values()) - {groups[stream] for stream in used if stream in groups}:
            modules[group].requires_grad_(False)


def _modules(groups: Groups, made: Callable[[], nn.Module]) -> nn.ModuleDict:
    """One module for each group of weights."""
    return nn.ModuleDict({group: made() for group in sorted(set(groups.values()))})


def _head_norm(row: AttentionSpec, groups: Groups, head_dim: int) -> nn.Module:
    if row.qk_norm == "each":
        return HeadNorms({group: nn.LayerNorm(head_dim) for group in sorted(set(groups.values()))})
    return HeadNorm(head_dim) if row.qk_norm == "one" else NoNorm()


def _over_space(queries: Mapping[Stream, Tensor], fresh: Mapping[Stream, KeyValue]) -> dict[Stream, Tensor]:
    """Attention over the sites of each latent: every latent hears itself, so one call serves all streams."""
    streams, batch = list(queries), len(next(iter(queries.values())))
    tensors = zip(*((queries[s], fresh[s].key, fresh[s].value) for s in streams))
    query, key, value = (torch.cat(t, dim=1).flatten(0, 1).transpose(1, 2) for t in tensors)  # b t n k d -> (b t) k n d
    out = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2).unflatten(0, (batch, -1))
    return dict(zip(streams, out.split([queries[s].shape[1] for s in streams], dim=1)))


def _by_hearing(row: AttentionSpec, streams: Iterable[Stream]) -> list[tuple[list[Stream], tuple[Stream, ...]]]:
    """Listeners grouped by what they hear."""
    groups: dict[tuple[Stream, ...], list[Stream]] = {}
    for stream in streams:
        groups.setdefault(row.attends_to[stream], []).append(stream)
    return [(listeners, speakers) for speakers, listeners in groups.items()]


def _every_token(x: Tensor, batch: int) -> Tensor:
    """b t n k d -> b (t n) k d; a batch of one is shared."""
    return x.flatten(1, 2).expand(batch, -1, -1, -1)


def _per_site(x: Tensor, batch: int, sites: int) -> Tensor:
    """b t n k d -> b n k t d; a batch of one is shared, a stream of one site is repeated at every site."""
    return x.expand(batch, -1, sites, -1, -1).permute(0, 2, 3, 1, 4)


def _join(earlier: KeyValue | None, newer: KeyValue | None) -> KeyValue:
    if earlier is None or newer is None:
        found = earlier or newer
        assert found is not None
        return found
    return earlier.then(newer)
