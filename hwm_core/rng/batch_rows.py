"""Random numbers for the rows of a batch, the same however the batch is cut over parts and processes.

Whoever holds some rows of a batch draws for the whole batch and keeps what belongs to these rows: no row's numbers
depend on who computes it. That costs a few numbers drawn in vain, and no communication.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class RowGenerator(torch.Generator):
    """A generator of someone who holds the rows from `first` on of a batch of `batch` rows."""

    first: int = 0
    batch: int = 0

    def seed_rows(self, seed: int, first: int, batch: int) -> "RowGenerator":
        """Begin the batch's draws anew, for other rows of it."""
        self.manual_seed(seed)
        self.first, self.batch = first, batch
        return self


def uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """U(0,1) [b, ...] on the generator's device; for a plain generator the b rows are the whole batch."""
    return own_rows(uniform_of_batch(shape, generator), shape[0], generator)


def normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """N(0,1), as `uniform`."""
    drawn = torch.randn(_whole(shape, generator), generator=generator, device=generator.device)
    return own_rows(drawn, shape[0], generator)


def integers(low: int, high: int, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """int64 from `low` to below `high`, as `uniform`."""
    drawn = torch.randint(low, high, _whole(shape, generator), generator=generator, device=generator.device)
    return own_rows(drawn, shape[0], generator)


def uniform_of_batch(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """As `uniform`, of all rows of the batch: for what depends on the draws of others too."""
    return torch.rand(_whole(shape, generator), generator=generator, device=generator.device)


def own_rows(drawn: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """The caller's rows [b, ...] of what was drawn for the whole batch."""
    first = generator.first if isinstance(generator, RowGenerator) else 0
    return drawn[first : first + rows]


def _whole(shape: Sequence[int], generator: torch.Generator) -> tuple[int, ...]:
    return (generator.batch if isinstance(generator, RowGenerator) else shape[0], *shape[1:])
