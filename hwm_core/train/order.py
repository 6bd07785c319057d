"""The order of the training data: a pure function of a seed, so that a run can resume in the middle of an epoch."""

from collections.abc import Iterator
from itertools import count

import torch
from torch.utils.data import Sampler


class BatchOrder(Sampler[list[int]]):
    """An endless sequence of batches of indices: one permutation after another, cut into batches across their borders.

    Batch n depends only on (length, batch_size, seed, n). A resumed run has no state to restore, and workers that load
    ahead do not change the order. With several ranks each rank takes its `rows` of every batch.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        first: int = 0,
        rows: slice = slice(None),
    ) -> None:
        self.length, self.batch_size, self.seed, self.first, self.rows = length, batch_size, seed, first, rows
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __iter__(self) -> Iterator[list[int]]:
        return (self.batch(number) for number in count(self.first))

    def batch(self, number: int) -> list[int]:
        """The indices of one batch, this rank's rows only."""
        start = number * self.batch_size
        return [self._index(position) for position in range(start, start + self.batch_size)[self.rows]]

    def _index(self, position: int) -> int:
        epoch, offset = divmod(position, self.length)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(mix_seed(self.seed, epoch))
            self._epoch, self._order = epoch, torch.randperm(self.length, generator=generator)
        return int(self._order[offset])


def mix_seed(seed: int, number: int) -> int:
    """A seed for part `number` of a seeded process; neighbouring numbers give unrelated seeds (splitmix64)."""
    value = (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
    return (value ^ (value >> 31)) % 2**63
