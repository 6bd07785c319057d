"""Flow matching: what a network learns that predicts the velocity from noise to future latents.

Time t runs from 0, noise, to 1, data.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.flow_loss import latents_of_step, weighted_square
from hwm_core.models.flow_path import interpolate, noise_level
from hwm_core.models.network import WorldModelNetwork
from hwm_core.rng.batch_rows import normal, uniform


class FlowMatching(WorldModelNetwork):
    """Training loss and mean prediction of a velocity (paper section 2.3), whatever the network.

    `channel_weights` [C], of mean 1, weight the channels in the loss. They are ones until `set_channel_weights`, and no
    checkpoint holds them: only training needs them.
    """

    config: FlowConfig
    channel_weights: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("channel_weights", torch.ones(config.latent_channels), persistent=False)

    @abstractmethod
    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        past: Tensor,
        actions: Tensor | None,
        *,
        drop_context: Tensor | None = None,
        drop_actions: Tensor | None = None,
        latents: Sequence[int] | None = None,
    ) -> Tensor:
        """Velocity [B, T, H, W, C].

        Args:
            noisy: [B, T, H, W, C] at time t.
            t: [B] in [0, 1].
            past: [B, T_past, H, W, C] normalised latents.
            actions: [B, F, A] normalised; None drops both action streams.
            drop_context: [B] bool, samples whose past and actions are dropped.
            drop_actions: [B] bool, samples whose actions are dropped.
            latents: the T future latents of `noisy`; None: all.
        """

    @property
    def needs_channel_weights(self) -> bool:
        return self.config.channel_weights == "decoder_sensitivity"

    def set_channel_weights(self, weights: Tensor) -> None:
        self.channel_weights.copy_(weights)

    def loss(self, codes: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error at a random time: of the velocity (paper equation 3), or of the data if it predicts data.

        Args:
            codes: latents [B, T, H, W, C], normalised.
            actions: [B, F, A] normalised.
            generator: draws noise, times and dropped conditions.
        """
        past, data = self._split_latents(codes)
        noise = normal(data.shape, generator)
        t = torch.sigmoid(normal((len(data),), generator))  # logit-normal
        pure_noise, no_context, no_actions = (uniform((len(data),), generator) for _ in range(3))
        t = t.masked_fill(pure_noise < self.config.pure_noise_rate, 0.0)
        latents = latents_of_step(self.config, generator)
        data, noise = data[:, latents], noise[:, latents]
        velocity = self(
            interpolate(noise, data, t, self.config.sigma_min),
            t,
            past,
            actions,
            drop_context=no_context < self.config.condition_dropout,
            drop_actions=no_actions < self.config.action_dropout,
            latents=latents,
        )
        error = velocity.float() - (data - (1 - self.config.sigma_min) * noise)
        if self.config.predicts == "data":  # error of the data = noise level * error of the velocity
            error = error * noise_level(t, self.config.sigma_min).view(-1, 1, 1, 1, 1)
        return self._loss(error, data - past[:, -1:]), {}

    def mean_prediction(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C]: one step from pure noise.

        x_0 carries no information about the data, so the best velocity at t = 0 is the mean of the data minus x_0.
        """
        past, data = self._split_latents(codes)
        noise = normal(data.shape, generator)
        return noise + self(noise, noise.new_zeros(len(noise)), past, actions).float()

    def future_loss(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the mean prediction, weighted as the loss."""
        mean = self.mean_prediction(codes, actions, generator)
        past, data = self._split_latents(codes)
        return {"loss": self._loss(mean - data, data - past[:, -1:])}

    def _split_latents(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        past, future = latents.split([self.config.num_past_latents, self.config.num_future_latents], dim=1)
        return past, future

    def _loss(self, error: Tensor, change: Tensor) -> Tensor:
        return weighted_square(error, change, self.channel_weights, self.config.change_weight)
