"""Settings for sampling a future."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from hwm_core.config import Config


class Sampling(Config):
    """Settings for sampling futures of all model families. Each family ignores the keys of the others.

    Of the keys for tokens, an ST-Transformer has `temperature` and `soft`: it always predicts latent after latent.

    The defaults give the mean prediction in one pass: the lowest error, and no noise between candidates. The paper's
    sharp samples are in `PAPER`; for a masked model, add a `temperature` above 0 to sample several futures.
    """

    steps: int = Field(
        default=1, ge=1, description="masked: refinement steps K within one latent; flow and wan: ODE steps"
    )
    detail_transfer: bool = Field(
        default=False, description="in static regions, restore the detail of the newest observed frame"
    )
    order: Literal["random", "confidence", "halton"] = Field(
        default="halton", description="masked: order in which tokens are revealed: random, confidence or halton"
    )
    temperature: float = Field(default=0.0, ge=0, description="tokens: sampling temperature; 0 is greedy")
    soft: bool = Field(default=True, description="tokens: decode the model's mean latents instead of the sampled codes")
    parallel: bool = Field(
        default=True,
        description="masked: predict all future latents in one pass, each without the others' tokens",
    )
    solver: Literal["euler", "midpoint", "heun", "unipc"] = Field(
        default="euler",
        description="flow: euler, or midpoint and heun, which evaluate the model twice per step; wan: euler or unipc",
    )
    guidance_scale: float = Field(
        default=1.0,
        ge=0,
        description="flow and wan: classifier-free guidance; 1: none; another value doubles the computation",
    )
    shift: float = Field(default=5.0, gt=0, description="wan: shift of the noise levels; above 1: more steps in noise")


PAPER: Mapping[str, Sampling] = {
    "masked": Sampling(steps=2, order="random", parallel=False, soft=False),
    "flow": Sampling(steps=50, guidance_scale=3.0),
    "st_transformer": Sampling(soft=False),
    "wan": Sampling(steps=20, solver="unipc"),
}
"""How the papers decode, by family: masked K = 2, in random order, greedy codes, latent after latent; flow 50 Euler
steps with guidance 3 (both arXiv 2506.01182); ST-Transformer greedy codes, Wan 20 steps (both arXiv 2510.07092)."""
