"""A stack of blocks over streams, with an exact cache of the latents that will not change any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from hwm_core.nn.attention import KeyValue, Positions, Streams
from hwm_core.nn.block import Block, BlockCache
from hwm_core.nn.hearing import live_streams
from hwm_core.nn.rope import space_angles, time_angles
from hwm_core.nn.rows import Axis, BlockRow
from hwm_core.streams import Stream


@dataclass(frozen=True)
class Cache:
    """Temporal keys and values of settled latents, by block and attention row. Spatial rows hear no other latent."""

    blocks: tuple[BlockCache, ...]

    def then(self, newer: "Cache") -> "Cache":
        """The cache with further latents appended; a batch of one is shared by all of the newer batch."""
        return Cache(tuple(tuple(_join(a, b) for a, b in zip(old, new)) for old, new in zip(self.blocks, newer.blocks)))


def _join(old: Mapping[Stream, KeyValue], new: Mapping[Stream, KeyValue]) -> dict[Stream, KeyValue]:
    both = {s: old[s].then(new[s]) for s in old.keys() & new.keys()}
    return {**old, **new, **both}


class Backbone(nn.Module):
    """Blocks in order. Only what the output of `wanted` depends on is computed; weights never used are frozen."""

    def __init__(
        self,
        rows: Sequence[BlockRow],
        *,
        grid: tuple[int, int],
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        dropout: float,
        wanted: Stream = Stream.FUTURE_VIDEO,
    ) -> None:
        super().__init__()
        self.rows, self.grid, self.head_dim = tuple(rows), grid, dim // num_heads
        self.live = live_streams(self.rows, wanted)
        self.blocks = nn.ModuleList(Block(row, dim, num_heads, mlp_ratio, dropout) for row in self.rows)
        self._freeze_unused()

    def _freeze_unused(self) -> None:
        """No gradient reaches the MLP of a stream that nothing reads later (in the last block: all but `wanted`)."""
        for block, live in zip(self.blocks, self.live):
            used = {block.row.mlp[stream] for stream in live[-1]}
            for group in set(block.row.mlp.values()) - used:
                block.mlp[group].requires_grad_(False)
                block.mlp_norm[group].requires_grad_(False)

    def forward(
        self, x: Streams, latents: Mapping[Stream, Tensor], cache: Cache | None = None
    ) -> tuple[dict[Stream, Tensor], Cache]:
        """Run the stack.

        Args:
            x: tokens [B, T, N, D] by stream; with a cache, only the latents that are not in it.
            latents: latent indices [T] by stream.
            cache: settled latents, heard as if they were part of `x`.

        Returns:
            The streams after the last block (of a stream that is not `wanted`, only what was needed), and the keys
            and values of the latents of `x`.
        """
        tokens, device = dict(x), next(iter(x.values())).device
        time = {stream: time_angles(index, self.head_dim)[:, None] for stream, index in latents.items()}
        positions = Positions(latents, time, space_angles(*self.grid, self.head_dim, device))
        fresh = []
        for i, (block, row, live) in enumerate(zip(self.blocks, self.rows, self.live)):
            tokens, keys_values = block(tokens, positions, live, None if cache is None else cache.blocks[i])
            fresh.append(
                tuple(kv if attention.axis is Axis.TIME else {} for attention, kv in zip(row.attention, keys_values))
            )
        return tokens, Cache(tuple(fresh))
