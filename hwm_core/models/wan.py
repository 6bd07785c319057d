"""Wan 2.2 TI2V-5B as a world model: video to video, conditioned on robot states (arXiv 2510.07092, section 2).

A noise level s runs from 1, noise, to 0, data: x_s = (1 - s) data + s noise, with velocity noise - data, as in Wan.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwm_core.models.conditioning import zeroed
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.wan_config import WanConfig
from hwm_core.models.wan_schedule import shifted
from hwm_core.nn.attention_spec import WAN_VARIANTS, BlockSpec
from hwm_core.nn.state_encoder import StateEncoder
from hwm_core.pretrained import import_extra
from hwm_core.rng.batch_rows import normal, uniform

TIMESTEPS = 1000  # of noise level 1


class WanWorldModel(WorldModelNetwork):
    """Predicts the velocity of the future latents; the past latents are given at noise level 0.

    Trained are the low-rank updates of the transformer and the state encoder. At the start both change nothing: the
    output is bit for bit that of the pretrained transformer. The frozen weights are in no state dict: a checkpoint has
    their sha256.

    Parameters at the defaults, with width d = 3072, L = 30 blocks, rank 32, 25 states::

        pretrained transformer                                                            4,999,787,712
        low-rank updates: 8 matrices d x d a block, each 2 * 32 d                            47,185,920
        state encoder: 225 * 256 + 256, 256^2 + 256, 2 (3 * 256^2 + 256), 257 * 7 d           6,043,904

    In the preset two states, the closures of the hands, have no sines and cosines: 209 features in place of 225, and
    6,039,808 parameters of the state encoder.
    """

    config: WanConfig
    prompt: Tensor  # [prompt_tokens, text_dim] the text encoder's output for the empty prompt
    cache_obstacle = "past video attends to the noisy future in every block"

    def __init__(self, config: WanConfig, transformer: Any = None, folder: Path | None = None) -> None:
        """A model over a pretrained transformer, or over one with random weights.

        Args:
            transformer: of `wan_transformer.open_transformer`; None: random weights.
            folder: where the transformer's files are.
        """
        super().__init__()
        self.config, self.folder = config, folder
        code = import_extra("hwm_core.models.wan_transformer")
        self.transformer: nn.Module = code.build_transformer(config) if transformer is None else transformer
        code.add_lora(self.transformer, config.lora_rank, config.lora_targets)
        self._velocity = code.velocity
        self.state_encoder = StateEncoder(
            config.action_dim,
            7 * config.dim,
            temporal_factor=config.temporal_factor,
            width=config.state_dim,
            frequencies=config.state_frequencies,
            plain=config.plain_states,
        )
        self.register_buffer("prompt", torch.zeros(config.prompt_tokens, config.text_dim))
        self.register_state_dict_post_hook(_leave_out_base)
        self.register_load_state_dict_post_hook(_expect_no_base)

    @property
    def specs(self) -> list[BlockSpec]:
        return [WAN_VARIANTS[self.config.variant]] * self.config.depth

    @property
    def repeated_blocks(self) -> list[nn.Module]:
        """The transformer's blocks, see `train.blocks`."""
        return list(self.transformer.blocks)  # type: ignore[arg-type]

    def loss(self, codes: Tensor, actions: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the velocity of the future at a random noise level.

        Args:
            codes: latents [B, T, H, W, C], normalised.
            actions: [B, F, A] normalised.
            generator: draws noise, noise levels and dropped states.
        """
        past, data = self._split(codes)
        noise = normal(data.shape, generator)
        if self.config.times == "uniform":
            level = 1 - uniform((len(data),), generator)  # in (0, 1]
        else:
            level = torch.sigmoid(normal((len(data),), generator))
        pure_noise, no_actions = (uniform((len(data),), generator) for _ in range(2))
        level = shifted(level, self.config.shift).masked_fill(pure_noise < self.config.pure_noise_rate, 1.0)
        share = level.view(-1, 1, 1, 1, 1)
        velocity = self(
            (1 - share) * data + share * noise,
            TIMESTEPS * level,
            past,
            actions,
            drop_actions=no_actions < self.config.action_dropout,
        )
        return F.mse_loss(velocity.float(), noise - data), {}

    def mean_prediction(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean latents [B, T_future, H, W, C]: one step from pure noise, which carries no information."""
        past, data = self._split(codes)
        noise = normal(data.shape, generator)
        return noise - self(noise, noise.new_full((len(noise),), float(TIMESTEPS)), past, actions).float()

    def future_loss(self, codes: Tensor, actions: Tensor | None, generator: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the mean prediction."""
        return {"loss": F.mse_loss(self.mean_prediction(codes, actions, generator), self._split(codes)[1])}

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        past: Tensor,
        actions: Tensor | None,
        *,
        drop_actions: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, T_future, H, W, C].

        Args:
            noisy: [B, T_future, H, W, C].
            timesteps: [B], 1000 times the noise level of `noisy`.
            past: [B, T_past, H, W, C] normalised latents.
            actions: [B, F, A] normalised, of all frames; None drops them.
            drop_actions: [B] bool, samples whose actions are dropped: their modulation is zero.
        """
        latents = torch.cat([past, noisy], dim=1).movedim(-1, 1)
        of_past = timesteps.new_zeros(past.shape[1]).expand(len(noisy), -1)
        each = torch.cat([of_past, timesteps[:, None].expand(-1, noisy.shape[1])], dim=1)
        modulation = None
        if actions is not None:
            modulation = zeroed(self.state_encoder(actions).unflatten(2, (7, -1)), drop_actions)
        text = F.pad(self.prompt, (0, 0, 0, self.config.text_length - self.config.prompt_tokens))[None]
        velocity: Tensor = self._velocity(self.transformer, latents, each, text, modulation)
        return velocity[:, :, past.shape[1] :].movedim(1, -1)

    def _split(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Past and future latents."""
        past = self.config.num_past_latents
        return codes[:, :past], codes[:, past:]


def _is_base(name: str, prefix: str) -> bool:
    return name.startswith(f"{prefix}transformer.") and ".lora_" not in name


def _leave_out_base(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Remove the frozen weights from a state dict; they are in the folder of the pretrained transformer."""
    for name in [name for name in state if _is_base(name, prefix)]:
        del state[name]


def _expect_no_base(module: nn.Module, incompatible: Any) -> None:
    """Frozen weights are not missing in a state dict; the module may be a part of a larger one."""
    known = dict(module.named_parameters()) | dict(module.named_buffers())
    frozen = {name for name in known if _is_base(name, "")}
    missing = incompatible.missing_keys
    missing[:] = [name for name in missing if not any(name == one or name.endswith(f".{one}") for one in frozen)]
