"""Keys and values of attention, and their cache (KV cache) through a stack of blocks."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.streams import Stream


@dataclass(frozen=True)
class KeyValue:
    """Projected and rotated keys and values of some latents of one stream: [B, T, N, K, head_dim] each."""

    key: Tensor
    value: Tensor
    latents: Tensor  # [T] latent indices

    def append(self, newer: "KeyValue") -> "KeyValue":
        """These latents followed by `newer` ones; a batch of one is shared by all samples of the newer batch."""
        batch = newer.key.shape[0]

        def join(a: Tensor, b: Tensor) -> Tensor:
            return torch.cat([a.expand(batch, *a.shape[1:]), b], dim=1)

        return KeyValue(
            join(self.key, newer.key), join(self.value, newer.value), torch.cat([self.latents, newer.latents])
        )

    def concat_batch(self, other: "KeyValue", batch: int) -> "KeyValue":
        """Two contexts of the same latents as one batch; each is of `batch` samples, or of one that they share."""
        key, value = concat_batch(self.key, other.key, batch), concat_batch(self.value, other.value, batch)
        return KeyValue(key, value, self.latents)


BlockCache = tuple[Mapping[Stream, KeyValue], ...]
"""Keys and values of one block, one mapping for each attention sub-layer."""


@dataclass(frozen=True)
class Cache:
    """Keys and values of latents that do not change any more, for each block.

    Spatial sub-layers are empty: a latent does not attend to another one there.
    """

    blocks: tuple[BlockCache, ...]

    def append(self, newer: "Cache") -> "Cache":
        """The cache with further latents appended; a batch of one is shared by all samples of the newer batch."""
        return Cache(
            tuple(tuple(_append(a, b) for a, b in zip(one, two)) for one, two in zip(self.blocks, newer.blocks))
        )

    def concat_batch(self, other: "Cache", batch: int) -> "Cache":
        """Two caches of the same latents as one of 2 * batch; see `KeyValue.concat_batch`."""
        return Cache(
            tuple(
                tuple({s: kv.concat_batch(b[s], batch) for s, kv in a.items()} for a, b in zip(one, two))
                for one, two in zip(self.blocks, other.blocks)
            )
        )


def concat_batch(a: Tensor, b: Tensor, batch: int) -> Tensor:
    """[batch or 1, ...] and [batch or 1, ...] as one [2 * batch, ...]."""
    return torch.cat([a.expand(batch, *a.shape[1:]), b.expand(batch, *b.shape[1:])])


def _append(old: Mapping[Stream, KeyValue], new: Mapping[Stream, KeyValue]) -> dict[Stream, KeyValue]:
    both = {s: old[s].append(new[s]) for s in old.keys() & new.keys()}
    return {**old, **new, **both}
