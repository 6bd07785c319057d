"""The peak memory of a computation on meta tensors: sizes are exact, and nothing is computed."""

import weakref
from collections import Counter
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """`with PeakMemory() as memory:` measures `memory.peak`, the largest sum of bytes of new tensors alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self._now = 0, 0
        self._alive: Counter[int] = Counter()

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {
            tensor.untyped_storage()._cdata for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)
        }
        result = operator(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata in known and not self._alive[storage._cdata]:
                    continue  # a view of a tensor from before
                self._add(tensor, storage._cdata, storage.nbytes())
        return result

    def _add(self, tensor: Tensor, storage: int, size: int) -> None:
        if not self._alive[storage]:
            self._now += size
            self.peak = max(self.peak, self._now)
        self._alive[storage] += 1
        weakref.finalize(tensor, self._remove, storage, size)

    def _remove(self, storage: int, size: int) -> None:
        self._alive[storage] -= 1
        if not self._alive[storage]:
            self._now -= size
