"""The configuration of a masked model."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.models.config import SharingConfig
from hwm_core.nn.initialise import Init


class MaskedConfig(SharingConfig):
    """Everything that decides the weights and the training corruption of a masked model. Defaults are the paper's."""

    attention: Literal["time_aligned", "bidirectional"] = Field(
        default="time_aligned",
        description="`time_aligned`: a latent attends to itself and earlier latents; `bidirectional`: to all latents",
    )
    dim: int = Field(default=512, gt=0)
    depth: int = Field(default=24, gt=0)
    num_heads: int = Field(default=8, gt=0)
    dropout: float = Field(default=0.4, ge=0, lt=1, description="dropout inside the MLPs")
    final_norm: bool = Field(default=False, description="layer norm before the head; the paper has none")
    init: Init = Field(default="normal", description="initial weights: the paper's, or `fan_in` for narrow models")
    vocabulary: Literal["flat", "factorised"] = Field(
        default="flat", description="one softmax over all codes (paper), or one small softmax for each FSQ digit"
    )
    levels: tuple[int, ...] = Field(default=(8, 8, 8, 5, 5, 5), description="FSQ levels of the tokenizer")
    grid: tuple[int, int] = Field(default=(32, 32), description="tokens of one latent: rows, columns")
    patch: int = Field(default=1, gt=0, description="tokens per site along rows and columns; paper: 1")
    max_corruption_rate: float = Field(
        default=0.2, ge=0, le=1, description="largest rate of random token replacement (rho_max)"
    )
    full_mask_rate: float = Field(
        default=0.0, ge=0, le=1, description="rate of samples whose whole future is masked, as when decoding starts"
    )
    action_points: int = Field(
        default=0,
        ge=0,
        description="points that move with the actions, drawn as a part of video tokens (`nn.action_tokens`); 0: none",
    )
    action_dropout: float = Field(default=0.15, ge=0, lt=1, description="rate of samples whose actions are dropped")

    @model_validator(mode="after")
    def _check_head_size(self) -> "MaskedConfig":
        if self.dim % self.num_heads or self.dim // self.num_heads % 4:
            raise ValueError("`dim` / `num_heads` to be a multiple of 4: RoPE rotates pairs of channels on two axes")
        return self
