"""What a flow model is conditioned on: the time, the past and the actions. Dropped conditions are zeros."""

from dataclasses import dataclass

from torch import Tensor

from hwm_core.nn.key_value import Cache, concat_batch


@dataclass(frozen=True)
class PastInputs:
    """What a prediction needs of B pasts besides their tokens."""

    latents: Tensor  # [B, T_past, H, W, C], zero where dropped
    newest_action: Tensor  # [B, A], the action of the newest past frame; zero where dropped


@dataclass(frozen=True)
class PastCache:
    """B pasts with the keys and values of their tokens: exact for every future and every time."""

    cache: Cache
    past: PastInputs

    def concat_batch(self, other: "PastCache", batch: int) -> "PastCache":
        """Two caches as one of 2 * batch; each holds `batch` pasts, or one past that `batch` samples share."""
        latents = concat_batch(self.past.latents, other.past.latents, batch)
        newest_action = concat_batch(self.past.newest_action, other.past.newest_action, batch)
        return PastCache(self.cache.concat_batch(other.cache, batch), PastInputs(latents, newest_action))


@dataclass(frozen=True)
class Conditioning:
    """The conditions of B predictions. A past or a time of one sample is shared by all."""

    time: Tensor  # [B] in [0, 1]
    past: PastInputs
    actions: Tensor | None  # [B, F_future, A] normalised; None drops the actions of all samples
    drop_actions: Tensor | None = None  # [B] bool, samples whose actions are dropped


def zeroed(x: Tensor, samples: Tensor | None) -> Tensor:
    """`x` [B, ...] with the `samples` [B] (bool) set to zero."""
    return x if samples is None else x * ~samples.view(-1, *[1] * (x.ndim - 1))


def either(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Samples [B] that are in one of two masks; None is an empty mask."""
    if one is None or other is None:
        return other if one is None else one
    return one | other
