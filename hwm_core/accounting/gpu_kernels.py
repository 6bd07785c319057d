"""Tensors without values, with the precision and the memory of a GPU's kernels.

The meta device has no autocast, no fused kernels, no random numbers, and no values to index by. `fake_gpu` adds what
decides the memory of these.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from hwm_core.accounting.peak_memory import PeakMemory

META = torch.device("meta")

# What CUDA's autocast computes in the lower precision, and what in float32; the rest keeps the type of its input.
_LOWER = (F.linear, torch.matmul, Tensor.__matmul__, Tensor.matmul, F.conv1d, F.conv2d, F.conv3d)
_FLOAT = (F.layer_norm, F.cross_entropy, F.mse_loss, F.softmax, F.log_softmax, Tensor.softmax, Tensor.log_softmax)
_RANDOM = (torch.rand, torch.randn, torch.randint)
_INDEXING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)


class FakeGenerator(torch.Generator):
    """Stands for a generator of the meta device, which has none."""

    device = META


@contextmanager
def fake_gpu(precision: torch.dtype = torch.float32) -> Iterator[PeakMemory]:
    """Tensors are made on the meta device. Yields their memory.

    A bool mask as an index selects every element, the worst case.

    Args:
        precision: of the autocast.
    """
    with ExitStack() as modes:
        modes.enter_context(META)
        memory = modes.enter_context(PeakMemory())
        modes.enter_context(_EveryElement())
        modes.enter_context(_Kernels(precision))
        yield memory


def backward(loss: Tensor) -> None:
    """As `loss.backward()`, which would leave `fake_gpu`: blocks that are recomputed need it."""
    run = torch.autograd.Variable._execution_engine.run_backward
    run((loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True)


class _Kernels(TorchFunctionMode):
    """Autocast; fused attention, which keeps no attention weights; dropout with a mask of one byte per element."""

    def __init__(self, precision: torch.dtype) -> None:
        super().__init__()
        self._precision = precision
        self._weights: dict[int, tuple[Tensor, Tensor]] = {}  # as autocast, which converts a weight once

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention:
            return self._attention(*args[:3])
        if function is F.dropout:
            return _dropout(*args, **kwargs)
        if function in _RANDOM:
            return function(*args, **{**kwargs, "generator": None, "device": META})
        if self._precision is not torch.float32:
            if function in _LOWER:
                args, kwargs = tree_map(self._lower, (args, kwargs))
            elif function in _FLOAT:
                args, kwargs = tree_map(_float, (args, kwargs))
        return function(*args, **kwargs)

    def _lower(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype is not torch.float32:
            return value
        if not (value.is_leaf and value.requires_grad):
            return value.to(self._precision)
        found = self._weights.get(id(value))
        if found is None:
            found = self._weights[id(value)] = (value, value.to(self._precision))
        return found[1]

    def _attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        shape = query.shape[:-3]
        query, key, value = (self._lower(x).flatten(0, -4) for x in (query, key, value))  # fused kernels take four axes
        out: Tensor = _FusedAttention.apply(query, key, value)
        return out.unflatten(0, shape)


def _float(value: Any) -> Any:
    lower = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if lower else value


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or p == 0:
        return x
    dropped: Tensor = torch.ops.aten.native_dropout.default(x, p, True)[0]
    return dropped


class _FusedAttention(torch.autograd.Function):
    """Keeps queries, keys, values, the output and one number per query."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _, _ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


class _EveryElement(TorchDispatchMode):
    """Bool masks, used as an index, select every element."""

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operator in _INDEXING:
            args = (args[0], _integers(args[1]), *args[2:])
        return operator(*args, **(kwargs or {}))


def _integers(indices: list[Tensor | None]) -> list[Tensor | None]:
    """Bool masks [a, b, ...] as one index of all elements for each axis."""
    found: list[Tensor | None] = []
    for index in indices:
        if index is not None and index.dtype is torch.bool:
            found += [index.new_zeros(index.numel(), dtype=torch.long) for _ in index.shape]
        else:
            found.append(index)
    return found
