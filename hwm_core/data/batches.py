"""Batches of training windows: of frames, or of tokens in place of frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import default_collate

B = TypeVar("B", bound="Batch")


@dataclass(frozen=True)
class Batch:
    """Base of all batches: tensors [B, ...]. A data set's item is one window, with the same fields without B."""

    def __len__(self) -> int:
        return len(next(iter(self.tensors().values())))

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by field name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to(self: B, device: torch.device | str, non_blocking: bool = False) -> B:
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self: B) -> B:
        """The DataLoader calls it by this name."""
        return self._map(Tensor.pin_memory)

    def first(self: B, count: int) -> B:
        """The first windows."""
        return self._map(lambda tensor: tensor[:count])

    def chunk(self: B, parts: int) -> list[B]:
        """Cut into parts along B, as `torch.chunk` does."""
        chunks = zip(*(tensor.chunk(parts) for tensor in self.tensors().values()))
        return [type(self)(*part) for part in chunks]

    def plain(self) -> dict[str, Any]:
        """A mapping of plain types and tensors, for a file."""
        return {"kind": type(self).__name__, **self.tensors()}

    def _map(self: B, change: Callable[[Tensor], Tensor]) -> B:
        return type(self)(*map(change, self.tensors().values()))


@dataclass(frozen=True)
class FrameBatch(Batch):
    """Windows of camera frames."""

    frames: Tensor  # uint8 [B, F, 3, H, W]
    actions: Tensor  # float32 [B, F, A], normalised; A is 0 where a tokenizer is trained


@dataclass(frozen=True)
class TokenBatch(Batch):
    """Windows that a tokenizer has encoded."""

    tokens: Tensor  # int64 [B, T, h, w], or continuous latents, float32 [B, T, h, w, C]
    actions: Tensor  # float32 [B, F, A], normalised; F frames of T latents


def stack(windows: Sequence[B]) -> B:
    """The batch of the windows; a DataLoader's `collate_fn`."""
    kind = type(windows[0])
    return kind(*(default_collate([getattr(one, field.name) for one in windows]) for field in fields(kind)))


def concatenate(batches: Sequence[B]) -> B:
    """One batch of all windows of several batches."""
    kind = type(batches[0])
    return kind(*(torch.cat([getattr(one, field.name) for one in batches]) for field in fields(kind)))


def batch_from_plain(plain: Mapping[str, Any]) -> Batch:
    """The inverse of `Batch.plain`. Raises KeyError or TypeError where `plain` is no batch."""
    kinds = {kind.__name__: kind for kind in Batch.__subclasses__()}
    return kinds[plain["kind"]](**{name: value for name, value in plain.items() if name != "kind"})
