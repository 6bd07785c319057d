"""The configuration of a Wan 2.2 video model with robot states."""

import math
from typing import Literal

from pydantic import Field, model_validator

from hwm_core.models.config import WorldModelConfig


class WanConfig(WorldModelConfig):
    """Everything that decides the weights and the training of a Wan model with states.

    Defaults are those of Wan 2.2 TI2V-5B and of the 1X challenge's sampling winner (arXiv 2510.07092, section 2). The
    folder of the pretrained transformer decides its sizes.
    """

    variant: Literal["base"] = "base"
    attention: Literal["full"] = Field(default="full", description="all video tokens attend to each other")
    dim: int = Field(default=3072, gt=0)
    depth: int = Field(default=30, gt=0)
    num_heads: int = Field(default=24, gt=0)
    mlp_ratio: float = Field(default=14336 / 3072, gt=0)
    latent_channels: int = Field(default=48, gt=0)
    text_dim: int = Field(default=4096, gt=0, description="width of the text encoder's output")
    freq_dim: int = Field(default=256, gt=0, description="sinusoidal features of a timestep")
    grid: tuple[int, int] = Field(default=(32, 32), description="cells of one latent: rows, columns")
    patch: int = Field(default=2, gt=0)
    temporal_factor: int = Field(default=4, gt=0)
    num_past_latents: int = Field(default=2, gt=0)
    num_future_latents: int = Field(default=4, gt=0)

    base_sha256: dict[str, str] = Field(default={}, description="of each file of the pretrained transformer")
    base_dtype: Literal["bfloat16", "float32"] = Field(
        default="bfloat16", description="precision of the frozen weights, and of the arithmetic in them"
    )
    prompt_tokens: int = Field(default=1, gt=0, description="tokens of the prompt, which is empty")
    text_length: int = Field(default=512, gt=0, description="tokens of text that the base attends to; the rest is zero")

    lora_rank: int = Field(default=32, ge=0, description="rank of the low-rank updates of the base; 0: none")
    lora_targets: tuple[str, ...] = Field(
        default=("to_q", "to_k", "to_v", "to_out.0"),
        min_length=1,
        description="layers of a block with a low-rank update; ffn.net.0.proj and ffn.net.2 are the MLP",
    )
    state_dim: int = Field(default=256, gt=0, description="width of the state encoder")
    state_frequencies: int = Field(default=4, ge=0, description="sines and cosines of each continuous state")
    plain_states: tuple[int, ...] = Field(
        default=(), description="indices of states without sinusoidal features, such as closures of hands"
    )
    shift: float = Field(default=5.0, gt=0, description="shift of the noise levels in training; above 1: more noise")
    times: Literal["uniform", "logit_normal"] = Field(
        default="uniform", description="distribution of the noise levels in training, before the shift"
    )
    pure_noise_rate: float = Field(
        default=0.0, ge=0, le=1, description="rate of samples of pure noise, where one step gives the mean prediction"
    )

    @model_validator(mode="after")
    def _check_heads(self) -> "WanConfig":
        if self.dim % self.num_heads or self.dim // self.num_heads % 2:
            raise ValueError("`dim` / `num_heads` to be an even number: RoPE rotates pairs of channels")
        return self

    @model_validator(mode="after")
    def _check_compression(self) -> "WanConfig":
        if not math.log2(self.temporal_factor).is_integer():
            raise ValueError("`temporal_factor` to be a power of 2: each convolution over states halves their rate")
        return self

    @model_validator(mode="after")
    def _check_states(self) -> "WanConfig":
        if any(not 0 <= index < self.action_dim for index in self.plain_states):
            raise ValueError(f"`plain_states` to be indices from 0 to `action_dim` - 1 = {self.action_dim - 1}")
        return self

    @model_validator(mode="after")
    def _check_prompt(self) -> "WanConfig":
        if self.prompt_tokens > self.text_length:
            raise ValueError("`prompt_tokens` of at most `text_length`")
        return self

    @property
    def mlp_dim(self) -> int:
        """Hidden width of the MLPs."""
        return round(self.dim * self.mlp_ratio)
