"""How tokens are drawn."""

from typing import Literal

from pydantic import Field

from hwm_core.config import Config


class Sampling(Config):
    """Settings of masked decoding. The defaults are for looking: the paper's two steps, greedy tokens."""

    steps: int = Field(default=2, ge=1, description="refinement steps K within one latent")
    order: Literal["random", "confidence", "halton"] = Field(default="halton", description="order of revealing")
    temperature: float = Field(default=0.0, ge=0, description="of the token draw; 0 is greedy")
    soft: bool = Field(default=True, description="decode the mean latents under the model instead of the drawn codes")
    parallel: bool = Field(
        default=False, description="all latents of the model's future in one pass, none hearing the others' tokens"
    )

    @classmethod
    def for_scoring(cls) -> "Sampling":
        """One pass, mean latents: no sampling noise between candidates, a cost as smooth as the model."""
        return cls(steps=1, parallel=True)
