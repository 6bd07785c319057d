"""Keeps the search to futures that the model knows: it is not paid for what the model makes up."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Weight
from hwm_core.planning.costs.blurred_nmse import discounted_mean
from hwm_core.planning.costs.latent_cost import LatentCost


class Uncertainty(LatentCost):
    """How unsure the model is of a future: mean over cells, about 0 to 1.

    For flow models: the variance of sampled futures, in units of the variance of latents. The cost of a candidate is
    then `samples` further futures. One step gives the mean of all futures whatever the noise, so `steps` must be more.
    For masked models: the entropy of the tokens as a share of the largest one, in one further pass.

    Nothing is surer than a scene in which nothing moves: a large weight prefers to hold.
    """

    weight: Weight = 0.0
    samples: int = Field(default=4, ge=2, description="flow: futures that are sampled for each candidate")
    steps: int = Field(default=4, ge=2, description="flow: ODE steps of each; one step would always give their mean")

    @property
    def compares_scenes(self) -> bool:
        return False  # it needs a prediction

    def value(self, candidates: Candidates) -> Tensor:
        unsure = candidates.uncertainty(self.samples, self.steps).float()
        return discounted_mean(unsure.mean(dim=(-1, -2)), self.discount)
