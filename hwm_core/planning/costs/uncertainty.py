"""Keeps the search to futures that the model knows: it is not paid for what the model makes up."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.blurred_nmse import discounted_mean


class Uncertainty(Cost):
    """How unsure the model is of a future: mean over cells, about 0 to 1.

    For flow models: the variance of sampled futures, in units of the variance of latents. The cost of a candidate is
    then `samples` further futures. One step gives the mean of all futures whatever the noise, so `steps` must be more.
    For masked models: the entropy of the tokens as a share of the largest one, in one further pass.

    Nothing is surer than a scene in which nothing moves: a large weight prefers to hold.
    """

    weight: float = Field(default=0.0, ge=0.0, le=1e6, description="factor before the power; 0 disables the term")
    samples: int = Field(default=4, ge=2, description="flow: futures that are sampled for each candidate")
    steps: int = Field(default=4, ge=2, description="flow: ODE steps of each; one step would always give their mean")
    discount: float = Field(
        default=0.0, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: only the last counts"
    )

    @property
    def last_latents(self) -> int | None:
        return 1 if self.discount == 0 else None

    @property
    def compares_scenes(self) -> bool:
        return False  # it needs a prediction

    def value(self, candidates: Candidates) -> Tensor:
        unsure = candidates.uncertainty(self.samples, self.steps).float()
        return discounted_mean(unsure.mean(dim=(-1, -2)), self.discount)
