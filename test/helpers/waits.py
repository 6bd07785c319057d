"""Counts what makes the processor wait for a GPU, on tensors without a device: no GPU is needed.

Reads of a value (`item`, `nonzero`, a bool mask as index) raise on meta tensors. This counts the rest: tensors made of
Python numbers, copies between devices, and checks of an error code.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

META = torch.device("meta")


class Waits:
    """`with Waits() as waits:` records the name of every operation that would wait."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._modes = (_Functions(self.found), _Operators(self.found))

    def __enter__(self) -> list[str]:
        for mode in self._modes:
            mode.__enter__()
        return self.found

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class MetaRandom:
    """Stands for `CandidateGenerator`: PyTorch has no generator of meta tensors."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def uniform(self, shape: Any) -> Tensor:
        return torch.empty(*shape, device=META)

    def normal(self, shape: Any) -> Tensor:
        return torch.empty(1, *shape[1:], device=META)

    def further(self) -> "MetaRandom":
        return self


class _Functions(TorchFunctionMode):
    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(function, "__name__", str(function))
        if name in ("tensor", "as_tensor", "new_tensor", "from_numpy") and not isinstance(args[-1], Tensor):
            self.found.append(name)
        index = args[1] if name == "__getitem__" else ()
        if any(isinstance(part, list) for part in (index if isinstance(index, tuple) else (index,))):
            self.found.append("index by a list")
        return function(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operator(*args, **(kwargs or {}))
        devices = {part.device.type for part in (*args, result) if isinstance(part, Tensor)}
        if len(devices) > 1 or "check_errors" in str(operator):
            self.found.append(str(operator))
        return result
