"""What a search tried: the cost terms of each batch of candidates."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class SearchIteration:
    """Costs of one batch of S candidates and their K weighted terms. NaN where no candidate has a finite cost."""

    sources: str  # where the candidates came from
    candidates: int  # S
    term_names: tuple[str, ...]  # K
    cost: NDArray[np.float32]  # [3] lowest, mean and highest of the candidates with finite costs
    terms: NDArray[np.float32]  # [4, K] lowest, mean and highest of these candidates, and of the one of lowest cost


class SearchTrace:
    """Keeps the terms of the scored candidates on their device until `iterations` is read, so that nothing waits.

    With halving, only the candidates that are scored exactly count.
    """

    def __init__(self) -> None:
        self._open: list[Mapping[str, Tensor]] = []
        self._batches: list[tuple[str, list[Mapping[str, Tensor]]]] = []

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the terms {name: [S]} of candidates of the current batch."""
        self._open.append({name: values.detach() for name, values in terms.items()})

    def end_batch(self, sources: str) -> None:
        """The batch is scored; its candidates came from `sources`."""
        self._batches.append((sources, self._open))
        self._open = []

    def iterations(self) -> list[SearchIteration]:
        """The batches in order."""
        return [_iteration(sources, parts) for sources, parts in self._batches if parts]


def _iteration(sources: str, parts: list[Mapping[str, Tensor]]) -> SearchIteration:
    names = tuple(parts[0])
    first = next(iter(parts[0].values()), torch.zeros(0))
    rows = [torch.cat([part[name] for part in parts]) for name in names]
    table = (torch.stack(rows) if rows else first.new_zeros(0, len(first))).float().cpu().numpy()  # [K, S]
    costs = table.sum(axis=0)
    finite = np.isfinite(costs)
    if not finite.any():
        nothing = np.full((4, len(names)), np.nan, np.float32)
        return SearchIteration(sources, len(costs), names, np.full(3, np.nan, np.float32), nothing)
    usable, best = table[:, finite], int(costs[finite].argmin())
    statistics = [usable.min(axis=1), usable.mean(axis=1, dtype=np.float64), usable.max(axis=1), usable[:, best]]
    mean = costs[finite].mean(dtype=np.float64)
    total = np.array([costs[finite].min(), mean, costs[finite].max()], np.float32)
    return SearchIteration(sources, len(costs), names, total, np.stack(statistics).astype(np.float32))
