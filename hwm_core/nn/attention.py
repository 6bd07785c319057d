"""One attention sub-layer over streams, as its `AttentionSpec` describes it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.nn.attention_spec import AttentionSpec, Axis, Groups
from hwm_core.nn.head_norm import build_head_norm
from hwm_core.nn.key_value import KeyValue
from hwm_core.nn.modulation import Conditions, Modulation
from hwm_core.nn.rope import rotate
from hwm_core.streams import Stream

Streams = Mapping[Stream, Tensor]
"""Tokens by stream, each [B, T, N, D]: T latents of N sites.

Action streams have N = 1. In attention over time their T are latents, and each action token is present at every site.
In attention over all tokens their T are frames.
"""


@dataclass(frozen=True)
class Positions:
    """The latent indices of each stream, and the rotary angles along each axis that a spec uses."""

    latents: Mapping[Stream, Tensor]  # [T] each; frame indices where actions are frames
    angles: Mapping[Axis, Mapping[Stream, Tensor]]  # broadcast against [T, N, head_dim/2]


class StreamAttention(nn.Module):
    """Multi-head attention: each stream attends to the streams of the spec, with the weights of its groups."""

    def __init__(self, spec: AttentionSpec, dim: int, num_heads: int, dropout: float = 0.0) -> None:
        """`dropout` is the rate of attention weights that are dropped in training."""
        super().__init__()
        self.spec, self.num_heads, self._dropout = spec, num_heads, dropout
        self.norm = _for_each_group(spec.norm, lambda: nn.LayerNorm(dim, elementwise_affine=not spec.modulation))
        self.modulation = Modulation(spec.modulation, dim)
        self.query = _for_each_group(spec.query, lambda: nn.Linear(dim, dim, bias=False))
        self.key_value = _for_each_group(spec.key, lambda: nn.Linear(dim, 2 * dim, bias=False))
        self.out = _for_each_group(spec.out, lambda: nn.Linear(dim, dim))
        self.query_norm = build_head_norm(spec, spec.query, dim // num_heads)
        self.key_norm = build_head_norm(spec, spec.key, dim // num_heads)

    def freeze_unused(self, live: frozenset[Stream]) -> None:
        """Freeze the weights that are used neither for the `live` streams nor for the streams they attend to."""
        spec, keys = self.spec, {key for stream in live for key in self.spec.attends_to[stream]}
        freeze_all_but(self.norm, spec.norm, live | keys)
        freeze_all_but(self.modulation.linear, spec.modulation, live | keys)
        for module, groups in ((self.query, spec.query), (self.query_norm, spec.query), (self.out, spec.out)):
            freeze_all_but(module, groups, live)
        for module in (self.key_value, self.key_norm):
            freeze_all_but(module, spec.key, keys)

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
            live: the streams to update; the others only give keys and values.
            cached: keys and values of earlier latents, attended to like those of `x`.
            conditions: what modulates each stream; unused by a spec without modulation.

        Returns:
            Residual updates of the live streams, and the keys and values of `x` (for a cache).
        """
        used = {s: t for s, t in x.items() if s in self.spec.key or s in live}
        normed = {s: self.norm[self.spec.norm[s]](t) if s in self.spec.norm else t for s, t in used.items()}
        normed, gates = self.modulation(normed, conditions)
        new = {s: self._keys_values(s, normed[s], positions) for s in x if s in self.spec.key}
        queries = {s: self._queries(s, normed[s], positions) for s in x if s in live}
        if not queries:
            return {}, new
        if self.spec.axis is Axis.SPACE:
            attended = _over_space(queries, new, self._rate)
        else:
            every = {s: _join(cached.get(s), new.get(s)) for s in {**cached, **new}}
            over = self._over_time if self.spec.axis is Axis.TIME else self._over_all
            attended = over(queries, every, positions)
        updates = {s: self.out[self.spec.out[s]](t) for s, t in attended.items()}
        return {s: gates[s] * t if s in gates else t for s, t in updates.items()}, new

    def _queries(self, stream: Stream, x: Tensor, positions: Positions) -> Tensor:
        group = self.spec.query[stream]
        query = self.query[group](x).unflatten(-1, (self.num_heads, -1))
        return self._rotated(self.query_norm(query, group), stream, positions)

    def _keys_values(self, stream: Stream, x: Tensor, positions: Positions) -> KeyValue:
        group = self.spec.key[stream]
        key, value = self.key_value[group](x).unflatten(-1, (2, self.num_heads, -1)).unbind(-3)
        key = self._rotated(self.key_norm(key, group), stream, positions)
        return KeyValue(key, value, positions.latents[stream])

    def _rotated(self, x: Tensor, stream: Stream, positions: Positions) -> Tensor:
        return rotate(x, positions.angles[self.spec.axis][stream]) if self.spec.rotary else x

    @property
    def _rate(self) -> float:
        """The rate of dropout now."""
        return self._dropout if self.training else 0.0

    def _over_all(
        self, queries: Mapping[Stream, Tensor], keys_values: Mapping[Stream, KeyValue], positions: Positions
    ) -> dict[Stream, Tensor]:
        """Attention over every token; one call for the streams that attend to the same streams."""
        attended = {}
        for streams, key_streams in _by_keys(self.spec, queries):
            keys = [keys_values[s] for s in key_streams if s in keys_values]
            batch = _batch([*(queries[s] for s in streams), *(k.key for k in keys)])
            query = torch.cat([_every_token(queries[s], batch) for s in streams], dim=1).transpose(1, 2)
            key = torch.cat([_every_token(k.key, batch) for k in keys], dim=1).transpose(1, 2)
            value = torch.cat([_every_token(k.value, batch) for k in keys], dim=1).transpose(1, 2)
            out = F.scaled_dot_product_attention(query, key, value, dropout_p=self._rate).transpose(1, 2).flatten(-2)
            shapes = [queries[s].shape[1:3] for s in streams]
            for stream, part, shape in zip(streams, _parts(out, [t * n for t, n in shapes]), shapes):
                attended[stream] = part.unflatten(1, shape)
        return attended

    def _over_time(
        self, queries: Mapping[Stream, Tensor], keys_values: Mapping[Stream, KeyValue], positions: Positions
    ) -> dict[Stream, Tensor]:
        """Attention over the latents of each site; one call for the streams that attend to the same streams."""
        attended = {}
        for streams, key_streams in _by_keys(self.spec, queries):
            keys = [keys_values[s] for s in key_streams if s in keys_values]
            batch = _batch([*(queries[s] for s in streams), *(k.key for k in keys)])
            sites = max(t.shape[2] for t in [*(queries[s] for s in streams), *(k.key for k in keys)])
            query = torch.cat([_per_site(queries[s], batch, sites) for s in streams], dim=3)
            key = torch.cat([_per_site(k.key, batch, sites) for k in keys], dim=3)
            value = torch.cat([_per_site(k.value, batch, sites) for k in keys], dim=3)
            mask = None
            if self.spec.causal:
                query_latents = torch.cat([positions.latents[s] for s in streams])
                key_latents = torch.cat([k.latents for k in keys])
                mask = key_latents[None, :] <= query_latents[:, None]
            out = _few_keys(query, key, value, mask, self._rate)
            parts = _parts(out.permute(0, 3, 1, 2, 4).flatten(-2), [queries[s].shape[1] for s in streams])
            for stream, part in zip(streams, parts):
                same = part.shape[2] == queries[stream].shape[2]
                attended[stream] = part if same else part.mean(dim=2, keepdim=True)
        return attended


def freeze_all_but(modules: nn.Module, groups: Groups, used: Collection[Stream]) -> None:
    """Freeze the weights of the groups that none of the `used` streams has; a module without groups is unchanged."""
    if isinstance(modules, nn.ModuleDict):
        for group in set(groups.values()) - {groups[stream] for stream in used if stream in groups}:
            modules[group].requires_grad_(False)


def _for_each_group(groups: Groups, build: Callable[[], nn.Module]) -> nn.ModuleDict:
    return nn.ModuleDict({group: build() for group in sorted(set(groups.values()))})


def _over_space(
    queries: Mapping[Stream, Tensor], new: Mapping[Stream, KeyValue], dropout: float
) -> dict[Stream, Tensor]:
    """Attention over the sites of each latent. A latent attends to itself alone, so one call serves all streams."""
    streams, batch = list(queries), len(next(iter(queries.values())))
    tensors = zip(*((queries[s], new[s].key, new[s].value) for s in streams))
    query, key, value = (torch.cat(t, dim=1).flatten(0, 1).transpose(1, 2) for t in tensors)  # b t n k d -> (b t) k n d
    out = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2)
    out = out.flatten(-2).unflatten(0, (batch, -1))
    return dict(zip(streams, _parts(out, [queries[s].shape[1] for s in streams])))


def _parts(x: Tensor, sizes: list[int]) -> list[Tensor]:
    """Split along axis 1. For a part that is not contiguous, a linear layer would copy its weights for every row."""
    return [part.contiguous() for part in x.split(sizes, dim=1)]


def _few_keys(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """Attention [B, N, K, T, d] over a few latents at each site; mask [T, keys].

    With five axes PyTorch chooses its plain kernel. On a CPU that is the faster one for a few keys. The fused kernels
    of a GPU take four axes only.
    """
    if query.device.type == "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    shape = query.shape[:2]
    query, key, value = (x.flatten(0, 1) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout).unflatten(0, shape)


def _by_keys(spec: AttentionSpec, streams: Iterable[Stream]) -> list[tuple[list[Stream], tuple[Stream, ...]]]:
    """The streams, grouped by the streams they attend to."""
    groups: dict[tuple[Stream, ...], list[Stream]] = {}
    for stream in streams:
        groups.setdefault(spec.attends_to[stream], []).append(stream)
    return [(members, keys) for keys, members in groups.items()]


def _batch(tensors: Iterable[Tensor]) -> int:
    """The number of samples; a tensor of one sample is shared by all."""
    return max(len(tensor) for tensor in tensors)


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
    return earlier.append(newer)
