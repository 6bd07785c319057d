"""How futures are drawn."""

from typing import Literal

from pydantic import Field

from hwm_core.config import Config


class Sampling(Config):
    """Settings of decoding, for both families; each has keys that only it reads.

    The defaults give the mean future in one pass: the least error, and no noise between candidates. One sharp future of
    many is `steps=2, parallel=False, soft=False`, as in the paper, with a `temperature` above 0 to draw several; of a
    flow model `steps=50, guidance_scale=3`.
    """

    steps: int = Field(default=1, ge=1, description="masked: refinement steps K within one latent; flow: ODE steps")
    carry_detail: bool = Field(
        default=False, description="paint with the newest real frame's detail where the picture stands still"
    )
    order: Literal["random", "confidence", "halton"] = Field(
        default="halton", description="masked: order of revealing tokens"
    )
    temperature: float = Field(default=0.0, ge=0, description="masked: temperature of the token draw; 0 is greedy")
    soft: bool = Field(
        default=True, description="masked: decode the mean latents under the model instead of the drawn codes"
    )
    parallel: bool = Field(
        default=True,
        description="masked: all latents of the model's future in one pass, none hearing the others' tokens",
    )
    solver: Literal["euler", "midpoint", "heun"] = Field(
        default="euler", description="flow: ODE solver; midpoint and heun evaluate the model twice a step"
    )
    guidance_scale: float = Field(
        default=1.0, ge=0, description="flow: classifier-free guidance; 1 is without, the paper's 3 costs twice as much"
    )
