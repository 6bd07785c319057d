"""The configuration of an ST-Transformer."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.models.config import WorldModelConfig
from hwm_core.nn.initialise import Init


class STConfig(WorldModelConfig):
    """Everything that decides the weights and the training of an ST-Transformer.

    Defaults are those of the 1X challenge's compression winner (arXiv 2510.07092, section 3). The report does not state
    the MLP ratio, the final norm, and whether QK norm is an RMS or a layer norm; these follow GPT-2 and `nn.head_norm`.
    """

    variant: Literal["base"] = "base"
    attention: Literal["time_aligned"] = Field(
        default="time_aligned", description="a latent attends to itself and earlier latents"
    )
    dim: int = Field(default=512, gt=0)
    depth: int = Field(default=24, gt=0)
    num_heads: int = Field(default=8, gt=0)
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="dropout of attention weights, of residual updates and inside the MLPs"
    )
    final_norm: bool = Field(default=True, description="layer norm before the tied output matrix")
    init: Init = Field(default="normal", description="initial weights: the report's, or `fan_in` for narrow models")
    vocabulary: Literal["flat", "factorised"] = Field(
        default="flat", description="one softmax over all codes (report), or one small softmax for each FSQ digit"
    )
    levels: tuple[int, ...] = Field(default=(8, 8, 8, 5, 5, 5), description="FSQ levels of the tokenizer")
    grid: tuple[int, int] = Field(default=(32, 32), description="tokens of one latent: rows, columns")
    patch: int = Field(default=1, gt=0, description="tokens per site along rows and columns; report: 1")
    num_past_latents: int = Field(default=3, gt=0)
    num_future_latents: int = Field(default=3, gt=0)

    scheduled_sampling: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="largest rate at which tokens of the future that are read are the model's own; 0: teacher forcing "
        "alone. The report tried it without gain",
    )
    rollout_weight: float = Field(
        default=0.0,
        ge=0,
        description="weight of a further loss: of the latent after one that the model predicted itself; 0: none",
    )

    @model_validator(mode="after")
    def _check_own_tokens(self) -> "STConfig":
        if self.num_future_latents == 1 and (self.scheduled_sampling or self.rollout_weight):
            raise ValueError(
                "`num_future_latents` above 1 where `scheduled_sampling` or `rollout_weight` is above 0: a single "
                "future latent is predicted from true ones alone"
            )
        return self

    @model_validator(mode="after")
    def _check_head_size(self) -> "STConfig":
        if self.dim % self.num_heads:
            raise ValueError("`dim` to be a multiple of `num_heads`")
        return self

    @property
    def num_inputs(self) -> int:
        """Latents that the transformer reads: all but the last one, which is only predicted (T = 5 in the report)."""
        return self.num_latents - 1
