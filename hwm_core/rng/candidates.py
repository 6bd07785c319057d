"""Random numbers of a rollout: one stream for all candidates, or one for each."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


class Draws:
    """Draws on a device.

    Args:
        seed: one for all candidates together; or one for each, whose draws then depend on its own seed alone, whatever
            else is in the batch.
    """

    def __init__(self, seed: int | Sequence[int], device: torch.device) -> None:
        seeds = [seed] if isinstance(seed, int) else seed
        self.together, self._device = isinstance(seed, int), device
        self._generators = [torch.Generator(device).manual_seed(one) for one in seeds]

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """U(0,1) [S, ...]; every candidate has its own."""
        return self._drawn(torch.rand, shape)

    def noise(self, shape: Sequence[int]) -> Tensor:
        """N(0,1) [S, ...]; candidates of one stream share theirs, so that they differ by their actions alone."""
        return self._drawn(torch.randn, (1, *shape[1:]) if self.together else shape).expand(*shape)

    def _drawn(self, kind: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        if self.together:
            return kind(*shape, generator=self._generators[0], device=self._device)
        return torch.stack([kind(*shape[1:], generator=one, device=self._device) for one in self._generators])


def derived_seed(*path: int) -> int:
    """A seed of its own for every path of numbers, such as (seed, window); none below 0."""
    return int(np.random.SeedSequence(path).generate_state(1, np.uint64)[0] >> 1)


def sample_seed(seed: int | Sequence[int], sample: int) -> int | Sequence[int]:
    """Seeds of the sample-th future of the same candidates; the first is drawn by `seed` itself."""
    if sample == 0:
        return seed
    return derived_seed(seed, sample) if isinstance(seed, int) else [derived_seed(one, sample) for one in seed]
