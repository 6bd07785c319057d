"""The peak memory of a computation, by accounting: sizes are exact, nothing is computed, and no GPU is needed."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BLOCK = 512  # bytes: the caching allocator of a GPU rounds every tensor up to a multiple


class PeakMemory(TorchDispatchMode):
    """`with PeakMemory() as memory:` measures `memory.peak`, the largest sum of bytes of new tensors alive at once.

    For tensors without values: on the meta device, or fake ones (`torch._subclasses.FakeTensorMode`). It counts
    storages, so that a tensor that only autograd keeps is counted too, and a view is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak, self.now = 0, 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {id(storage) for storage in _storages((args, kwargs))}
        result = operator(*args, **(kwargs or {}))
        for storage in _storages(result):
            if id(storage) not in known and id(storage) not in self._alive:
                self._add(storage)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = -(-storage.nbytes() // _BLOCK) * _BLOCK
        self._alive.add(id(storage))
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, id(storage), size)

    def _remove(self, storage: int, size: int) -> None:
        self._alive.discard(storage)
        self.now -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor)]
