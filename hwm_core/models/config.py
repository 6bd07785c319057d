"""What the configurations of all families share: size, geometry and time; and what the paper's two families share."""

from typing import Literal

from pydantic import Field, model_validator

from hwm_core.clips import num_frames
from hwm_core.config import Config

Variant = Literal["base", "split", "modality_shared", "fully_shared"]


class WorldModelConfig(Config):
    """Streams and sizes. Each family sets the paper's values as its defaults."""

    variant: str  # a row of the family's table of block specs; each family lists its rows
    attention: str  # the attention pattern; each family lists its values
    dim: int = Field(gt=0)
    depth: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    mlp_ratio: float = Field(default=4.0, gt=0)
    grid: tuple[int, int] = Field(description="cells of one latent: rows, columns")
    patch: int = Field(gt=0, description="cells per site of the transformer along rows and columns")
    temporal_factor: int = Field(default=8, gt=0)
    num_past_latents: int = Field(default=2, gt=0)
    num_future_latents: int = Field(default=1, gt=0)
    action_dim: int = Field(default=25, gt=0)
    action_dropout: float = Field(default=0.0, ge=0, lt=1, description="rate of samples whose actions are dropped")

    @model_validator(mode="after")
    def _check_patch(self) -> "WorldModelConfig":
        if "grid" in self.model_fields_set and any(cells % self.patch for cells in self.grid):
            raise ValueError("`grid` to be a multiple of `patch` on both sides")
        return self

    @property
    def sites(self) -> tuple[int, int]:
        """Rows and columns of the sites of the transformer."""
        return self.grid[0] // self.patch, self.grid[1] // self.patch

    @property
    def num_latents(self) -> int:
        return self.num_past_latents + self.num_future_latents

    @property
    def past_frames(self) -> int:
        return num_frames(self.num_past_latents, self.temporal_factor)

    @property
    def future_frames(self) -> int:
        return self.num_future_latents * self.temporal_factor


class SharingConfig(WorldModelConfig):
    """The paper's four variants, which differ by the weights that the streams share."""

    variant: Variant = "base"
    unshared_depth: int = Field(default=4, ge=0, description="first blocks that stay `base` in sharing variants")

    @property
    def variants(self) -> list[str]:
        """The variant of each block."""
        unshared = 0 if self.variant in ("base", "split") else min(self.unshared_depth, self.depth)
        return [*["base"] * unshared, *[self.variant] * (self.depth - unshared)]
