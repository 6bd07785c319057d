"""The samples that a report covers."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.metrics.unavailable import Unavailable

SHUFFLED_UNAVAILABLE = Unavailable(
    "shuffled", "a single sample, and shuffled actions need another one", "Use two or more samples."
)


@dataclass(frozen=True)
class SampleCounts:
    """How many samples of how many takes, and the seed of their predictions."""

    samples: int
    takes: int
    seed: int

    @classmethod
    def of(cls, takes: NDArray[np.int64], seed: int) -> "SampleCounts":
        """Args: takes: [samples] the take of each sample."""
        return cls(len(takes), len(np.unique(takes)), seed)

    def plain(self) -> dict[str, int]:
        """JSON-serialisable."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.samples} samples of {self.takes} takes, seed {self.seed}"
