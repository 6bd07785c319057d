"""Random numbers of a rollout: one generator for all candidates, or one for each."""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor


class CandidateGenerator:
    """Random numbers for the candidates of one rollout.

    Args:
        seed: one seed for all candidates together, or one seed per candidate. With its own seed, a candidate gets the
            same numbers in any batch.
        device: where the numbers are generated.
    """

    def __init__(self, seed: int | Sequence[int], device: torch.device) -> None:
        self._seeds = [seed] if isinstance(seed, int) else seed
        self._shared, self._device = isinstance(seed, int), device
        self._uniform = self._seeded()
        self._normal = self._seeded()

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """U(0,1) [S, ...], different for every candidate."""
        return self._sample(torch.rand, shape, self._uniform)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """N(0,1) [S, ...]; with one seed [1, ...], which all candidates share: they differ only by their actions."""
        return self._sample(torch.randn, (1, *shape[1:]) if self._shared else shape, self._normal)

    def further(self) -> "CandidateGenerator":
        """For further candidates of the same rollout: with one seed the same noise again, but other uniform numbers."""
        generator = copy(self)
        generator._normal = self._seeded()
        return generator

    def _seeded(self) -> list[torch.Generator]:
        return [torch.Generator(self._device).manual_seed(seed) for seed in self._seeds]

    def _sample(
        self, distribution: Callable[..., Tensor], shape: Sequence[int], generators: Sequence[torch.Generator]
    ) -> Tensor:
        if self._shared:
            return distribution(*shape, generator=generators[0], device=self._device)
        return torch.stack([distribution(*shape[1:], generator=g, device=self._device) for g in generators])


def derived_seed(*path: int) -> int:
    """A non-negative seed for a path of numbers such as (seed, window); different paths give independent seeds."""
    return int(np.random.SeedSequence(path).generate_state(1, np.uint64)[0] >> 1)


def sample_seed(seed: int | Sequence[int], sample: int) -> int | Sequence[int]:
    """Seeds for the sample-th future of the same candidates. Sample 0 uses `seed` itself."""
    if sample == 0:
        return seed
    return derived_seed(seed, sample) if isinstance(seed, int) else [derived_seed(one, sample) for one in seed]
