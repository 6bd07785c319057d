"""What checkpoints, training, sampling and tables need of a network, whatever its family."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from hwm_core.models.config import WorldModelConfig
from hwm_core.nn.attention_spec import BlockSpec
from hwm_core.nn.backbone import Backbone


class WorldModelNetwork(nn.Module, ABC):
    """A network that predicts the codes of the future from the codes of the past and the actions.

    An abstract module, not a `typing.Protocol`: whoever uses a network also moves, saves and counts it as a module.
    Codes are tokens int64 [B, T, H, W] or normalised latents float [B, T, H, W, C]; actions are [B, F, A], normalised.
    """

    config: WorldModelConfig
    backbone: Backbone
    cache_obstacle: str | None
    """Why keys and values of the past cannot be cached exactly; None where they can."""
    folder: Path | None = None
    """Where the frozen weights of a pretrained network are; None if all weights belong to this module."""

    @abstractmethod
    def loss(self, codes: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The training loss, its mean over the batch, and metrics to report.

        Args:
            codes: of past and future latents.
            actions: of all frames.
            generator: every random number comes from it.
        """

    @abstractmethod
    def mean_prediction(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Expected latents [B, T_future, H, W, C] given the past of `codes`, in one step; None drops the actions."""

    @abstractmethod
    def future_loss(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """`loss` and further metrics of a prediction from the past alone; None drops the actions."""

    @property
    def specs(self) -> Sequence[BlockSpec]:
        """The attention of each block."""
        return self.backbone.specs

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def separate_latents(self) -> bool:
        """Whether each future latent is predicted on its own, so that the others can be left out."""
        return False

    @property
    def needs_channel_weights(self) -> bool:
        """Whether `set_channel_weights` must be called before training."""
        return False

    def set_channel_weights(self, weights: Tensor) -> None:
        """Weight the channels [C] of the latents in the loss. Only networks that need weights have them."""
        raise NotImplementedError
