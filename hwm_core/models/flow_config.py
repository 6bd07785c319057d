"""The configuration of a flow model."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.models.config import SharingConfig
from hwm_core.nn.conv_path import NORM_GROUPS
from hwm_core.nn.initialise import Init


class FlowConfig(SharingConfig):
    """Everything that decides the weights and the training of a flow model. Defaults are the paper's."""

    attention: Literal["full", "clean_context"] = Field(
        default="full",
        description="`full`: the past attends to the future and is modulated by t; `clean_context`: it does neither",
    )
    dim: int = Field(default=1152, gt=0)
    depth: int = Field(default=15, gt=0)
    num_heads: int = Field(default=16, gt=0)
    init: Init = Field(default="xavier", description="initial weights: the paper's, or `fan_in` for narrow models")
    latent_channels: int = Field(default=16, gt=0)
    grid: tuple[int, int] = Field(default=(16, 16), description="cells of one latent: rows, columns")
    patch: int = Field(default=2, gt=0, description="cells per token along rows and columns")
    predicts: Literal["velocity", "data"] = Field(
        default="velocity", description="output of the network; `data` is converted to a velocity"
    )
    input_scaling: Literal["none", "linear_estimate"] = Field(
        default="none",
        description="input of the network: the noisy future x_t, or the best linear estimate of the data from x_t",
    )
    position: Literal["rotary", "rotary_and_learned"] = Field(
        default="rotary",
        description="whether a learned vector for each latent and site is added to video tokens, beside RoPE",
    )
    modulation: Literal["time", "time_and_actions"] = Field(
        default="time", description="what modulates the future video (AdaLN): the time, or the time and the actions"
    )
    qk_norm: Literal["paper", "always"] = Field(
        default="paper",
        description="which variants normalise queries and keys: `base` and `split` as in the paper, or all four",
    )
    conv_width: int = Field(
        default=0, ge=0, description="channels of convolutions around the transformer (U-ViT); 0: none, as in the paper"
    )
    conv_blocks: int = Field(
        default=2, ge=0, description="residual blocks of two convolutions, before and again after the transformer"
    )
    future: Literal["joint", "separate"] = Field(
        default="joint",
        description="`joint`: the future latents attend to each other; `separate`: each is predicted on its own, so a "
        "planner computes only those that it scores, and training draws `latents_per_step`",
    )
    latents_per_step: int = Field(
        default=1, gt=0, description="future latents of a window in one training step, where `future` is `separate`"
    )
    last_latent_rate: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="rate of training steps that predict the last future latent alone, which a planner scores, instead "
        "of `latents_per_step` random ones",
    )
    change_weight: float = Field(
        default=0.0,
        ge=0,
        description="weight in the loss that a cell gains when it changes by one standard deviation",
    )
    action_points: int = Field(
        default=0,
        ge=0,
        description="points that move with the actions, drawn as input of the convolutions (`nn.action_maps`); 0: none",
    )
    sigma_min: float = Field(default=1e-4, ge=0, lt=1, description="standard deviation of the noise at t = 1")
    condition_dropout: float = Field(
        default=0.15, ge=0, lt=1, description="rate of samples whose past and actions are dropped, for guidance"
    )
    pure_noise_rate: float = Field(
        default=0.0, ge=0, le=1, description="rate of samples at t = 0, where one step gives the mean prediction"
    )
    channel_weights: Literal["equal", "decoder_sensitivity"] = Field(
        default="equal", description="weights of the latent channels in the loss: equal, or by their effect on pixels"
    )

    @model_validator(mode="after")
    def _check_head_size(self) -> "FlowConfig":
        if self.dim % self.num_heads or self.dim // self.num_heads % 6:
            raise ValueError("`dim` / `num_heads` to be a multiple of 6: RoPE rotates pairs of channels on three axes")
        return self

    @model_validator(mode="after")
    def _separate_latents_need_a_clean_past(self) -> "FlowConfig":
        if self.future == "separate" and self.attention != "clean_context":
            raise ValueError(
                "`attention` to be `clean_context` where `future` is `separate`, so that all latents share the past"
            )
        return self

    @model_validator(mode="after")
    def _check_convolutions(self) -> "FlowConfig":
        if self.conv_width % NORM_GROUPS:
            raise ValueError(f"`conv_width` to be a multiple of {NORM_GROUPS}")
        if self.action_points and not self.conv_width:
            raise ValueError("`conv_width` above 0 where `action_points` is: only convolutions read the points")
        if self.conv_width and self.predicts != "data":
            raise ValueError("`predicts` to be `data` where `conv_width` is not 0: convolutions predict a change")
        return self
