"""How tokens are drawn."""

from typing import Literal

from pydantic import Field

from hwm_core.config import Config


class Sampling(Config):
    """Settings of masked decoding.

    The defaults give the mean future in one pass: the least error, and no noise between candidates. One sharp future of
    many is `steps=2, parallel=False, soft=False`, as in the paper, with a `temperature` above 0 to draw several.
    """

    steps: int = Field(default=1, ge=1, description="refinement steps K within one latent")
    order: Literal["random", "confidence", "halton"] = Field(default="halton", description="order of revealing")
    temperature: float = Field(default=0.0, ge=0, description="of the token draw; 0 is greedy")
    soft: bool = Field(default=True, description="decode the mean latents under the model instead of the drawn codes")
    parallel: bool = Field(
        default=True, description="all latents of the model's future in one pass, none hearing the others' tokens"
    )
