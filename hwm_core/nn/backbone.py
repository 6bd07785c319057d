"""A stack of blocks over streams, with an exact cache of the latents that will not change any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from hwm_core.errors import BadConfig
from hwm_core.nn.attention import KeyValue, Positions, Streams
from hwm_core.nn.attention_spec import Axis, BlockSpec
from hwm_core.nn.block import Block, BlockCache
from hwm_core.nn.modulation import Conditions
from hwm_core.nn.reachability import live_streams
from hwm_core.nn.rope import space_angles, time_angles, volume_angles
from hwm_core.streams import Stream

NO_CONDITIONS: Conditions = MappingProxyType({})


@dataclass(frozen=True)
class Cache:
    """Keys and values of settled latents, by block and attention row. Spatial rows hear no other latent."""

    blocks: tuple[BlockCache, ...]

    def then(self, newer: "Cache") -> "Cache":
        """The cache with further latents appended; a batch of one is shared by all of the newer batch."""
        return Cache(tuple(tuple(_join(a, b) for a, b in zip(old, new)) for old, new in zip(self.blocks, newer.blocks)))

    def beside(self, other: "Cache", batch: int) -> "Cache":
        """Two caches of the same latents, each shared by `batch` samples, as one of 2 * batch."""
        return Cache(
            tuple(
                tuple({s: kv.beside(b[s], batch) for s, kv in a.items()} for a, b in zip(one, two))
                for one, two in zip(self.blocks, other.blocks)
            )
        )


def _join(old: Mapping[Stream, KeyValue], new: Mapping[Stream, KeyValue]) -> dict[Stream, KeyValue]:
    both = {s: old[s].then(new[s]) for s in old.keys() & new.keys()}
    return {**old, **new, **both}


class Backbone(nn.Module):
    """Blocks in order. Only what the output of `wanted` depends on is computed; weights never used are frozen."""

    def __init__(
        self,
        specs: Sequence[BlockSpec],
        *,
        grid: tuple[int, int],
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        dropout: float,
        wanted: Stream = Stream.FUTURE_VIDEO,
    ) -> None:
        super().__init__()
        self.specs, self.grid, self.head_dim = tuple(specs), grid, dim // num_heads
        self.live = live_streams(self.specs, wanted)
        self._axes = {attention.axis for spec in self.specs for attention in spec.attention}
        self.blocks = nn.ModuleList(Block(spec, dim, num_heads, mlp_ratio, dropout) for spec in self.specs)
        for block, live in zip(self.blocks, self.live):
            block.freeze_unused(live)

    def forward(
        self,
        x: Streams,
        at: Mapping[Stream, Tensor],
        cache: Cache | None = None,
        conditions: Conditions = NO_CONDITIONS,
    ) -> tuple[dict[Stream, Tensor], Cache]:
        """Run the stack.

        Args:
            x: tokens [B, T, N, D] by stream; with a cache, only the latents that are not in it.
            at: latent indices [T] by stream (frame indices of actions that are frames).
            cache: settled latents, heard as if they were part of `x`.
            conditions: what modulates each stream of `x`, for rows with modulation.

        Returns:
            The streams after the last block (of a stream that is not `wanted`, only what was needed), and the keys
            and values of the latents of `x`.
        """
        tokens, positions = dict(x), Positions(at, {axis: self._angles(axis, at) for axis in self._axes})
        fresh = []
        for i, (block, spec, live) in enumerate(zip(self.blocks, self.specs, self.live)):
            earlier = None if cache is None else cache.blocks[i]
            tokens, keys_values = block(tokens, positions, live, earlier, conditions)
            fresh.append(
                tuple({} if attention.axis is Axis.SPACE else kv for attention, kv in zip(spec.attention, keys_values))
            )
        return tokens, Cache(tuple(fresh))

    def _angles(self, axis: Axis, at: Mapping[Stream, Tensor]) -> dict[Stream, Tensor]:
        """Rotary angles of each stream along `axis`."""

        def angles(stream: Stream, index: Tensor) -> Tensor:
            if axis is Axis.SPACE:
                return space_angles(*self.grid, self.head_dim, index.device)
            if axis is Axis.ALL and stream.is_video:
                return volume_angles(index, *self.grid, self.head_dim)
            return time_angles(index, self.head_dim)[:, None]

        return {stream: angles(stream, index) for stream, index in at.items()}


def reject_cache(obstacle: str | None) -> None:
    """Raises BadConfig where there is an obstacle (see `hearing.cache_obstacle`) to an exact cache."""
    if obstacle is not None:
        raise BadConfig(
            "cache of the past",
            expected="a past that nothing later changes",
            got=obstacle,
            remedy="Compute the past anew each time, or use a variant whose past hears no future.",
        )
