"""A stack of transformer blocks over streams, with an exact KV cache."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from hwm_core.errors import BadConfig
from hwm_core.nn.attention import Positions, Streams
from hwm_core.nn.attention_spec import Axis, BlockSpec
from hwm_core.nn.block import Block
from hwm_core.nn.key_value import Cache
from hwm_core.nn.modulation import Conditions
from hwm_core.nn.reachability import live_streams
from hwm_core.nn.rope import space_angles, time_angles, volume_angles
from hwm_core.streams import Stream

NO_CONDITIONS: Conditions = MappingProxyType({})


class Backbone(nn.Module):
    """Blocks in order. Only what the output of `wanted` depends on is computed; unused weights are frozen."""

    def __init__(
        self,
        specs: Sequence[BlockSpec],
        *,
        grid: tuple[int, int],
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        dropout: float,
        attention_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        wanted: Stream = Stream.FUTURE_VIDEO,
    ) -> None:
        super().__init__()
        self.specs, self.grid, self.head_dim = tuple(specs), grid, dim // num_heads
        self.live = live_streams(self.specs, wanted)
        self._axes = {attention.axis for spec in self.specs for attention in spec.attention if attention.rotary}
        self.blocks = nn.ModuleList(
            Block(spec, dim, num_heads, mlp_ratio, dropout, attention_dropout, residual_dropout) for spec in self.specs
        )
        for block, live in zip(self.blocks, self.live):
            block.freeze_unused(live)

    def forward(
        self,
        x: Streams,
        index: Mapping[Stream, Tensor],
        cache: Cache | None = None,
        conditions: Conditions = NO_CONDITIONS,
        *,
        keep: bool = True,
    ) -> tuple[dict[Stream, Tensor], Cache]:
        """Run the blocks.

        Args:
            x: tokens [B, T, N, D] by stream; with a cache, only the latents that are not in it.
            index: latent indices [T] by stream (frame indices where actions are frames).
            cache: earlier latents, attended to as if they were part of `x`.
            conditions: what modulates each stream of `x`, for specs with modulation.
            keep: whether keys and values are returned; without, those of one block at a time are in memory.

        Returns:
            The streams after the last block (streams other than `wanted` may be outdated), and the keys and values of
            the latents of `x` (of no block, if they are not kept).
        """
        tokens, positions = dict(x), Positions(index, {axis: self._angles(axis, index) for axis in self._axes})
        new = []
        for i, (block, spec, live) in enumerate(zip(self.blocks, self.specs, self.live)):
            earlier = None if cache is None else cache.blocks[i]
            tokens, keys_values = block(tokens, positions, live, earlier, conditions)
            if keep:
                new.append(
                    tuple(
                        {} if attention.axis is Axis.SPACE else kv for attention, kv in zip(spec.attention, keys_values)
                    )
                )
        return tokens, Cache(tuple(new))

    def _angles(self, axis: Axis, index: Mapping[Stream, Tensor]) -> dict[Stream, Tensor]:
        """Rotary angles of each stream along `axis`."""

        def angles(stream: Stream, index: Tensor) -> Tensor:
            if axis is Axis.SPACE:
                return space_angles(*self.grid, self.head_dim, index.device)
            if axis is Axis.ALL and stream.is_video:
                return volume_angles(index, *self.grid, self.head_dim)
            return time_angles(index, self.head_dim)[:, None]

        return {stream: angles(stream, latents) for stream, latents in index.items()}


def reject_cache(obstacle: str | None) -> None:
    """Raises BadConfig if there is an obstacle to an exact cache (see `reachability.cache_obstacle`)."""
    if obstacle is not None:
        raise BadConfig(
            "cache of the past",
            expected="a past that does not depend on the future or on the time t",
            got=obstacle,
            remedy="Predict without a cache, or use a value of `attention` that allows it.",
        )
