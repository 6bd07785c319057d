"""Random numbers for the rows of a batch, independent of how the batch is split over steps and processes.

A process that holds some rows generates the numbers of the whole batch and keeps the numbers of its own rows. This
generates a few unused numbers, but needs no communication.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class RowGenerator(torch.Generator):
    """A generator for the rows from `first` on, of a batch of `batch` rows."""

    first: int = 0
    batch: int = 0

    def seed_rows(self, seed: int, first: int, batch: int) -> "RowGenerator":
        """Restart from `seed`, for the rows from `first` on of a batch of `batch` rows."""
        self.manual_seed(seed)
        self.first, self.batch = first, batch
        return self


def uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """U(0,1) [b, ...] on the generator's device. With a plain generator the b rows are the whole batch."""
    return own_rows(uniform_of_batch(shape, generator), shape[0], generator)


def normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """N(0,1) [b, ...], as `uniform`."""
    of_batch = torch.randn(_whole(shape, generator), generator=generator, device=generator.device)
    return own_rows(of_batch, shape[0], generator)


def integers(low: int, high: int, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """int64 [b, ...] from `low` to `high` - 1, as `uniform`."""
    of_batch = torch.randint(low, high, _whole(shape, generator), generator=generator, device=generator.device)
    return own_rows(of_batch, shape[0], generator)


def uniform_of_batch(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """U(0,1) of all rows of the batch, for values that depend on other rows too."""
    return torch.rand(_whole(shape, generator), generator=generator, device=generator.device)


def own_rows(of_batch: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """The generator's own rows [b, ...] of numbers for the whole batch."""
    first = generator.first if isinstance(generator, RowGenerator) else 0
    return of_batch[first : first + rows]


def _whole(shape: Sequence[int], generator: torch.Generator) -> tuple[int, ...]:
    return (generator.batch if isinstance(generator, RowGenerator) else shape[0], *shape[1:])
