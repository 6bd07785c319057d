"""Fréchet distance between two sets of features, each taken as a Gaussian (Dowson & Landau 1982; arXiv 1706.08500).

d^2 = |mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)). It is called FID over the FID's own Inception
network alone, FVD over its I3D; over any other extractor it bears that one's name (`Extractor.metric`).
"""

import torch
from torch import Tensor

from hwm_core.errors import BadInput


class FrechetStatistics:
    """Number, mean and covariance of features, gathered batch by batch in float64.

    Batches and parts join by the pairwise update of Chan, Golub & LeVeque (1979), so that the order of the batches, and
    on how many ranks they were gathered, changes nothing but the last digits; sums of squares would lose them all where
    the mean is large.

    Args:
        extractor: whose features these are, best with its sha256. Unlike ones are never compared.
    """

    def __init__(self, extractor: str = "") -> None:
        self.extractor = extractor
        self.count = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)

    @property
    def mean(self) -> Tensor:
        """float64 [D]."""
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """float64 [D, D], unbiased. Raises BadInput for fewer than two rows."""
        if self.count < 2:
            raise BadInput(
                "Covariance of features",
                expected="two rows or more",
                got=self.count,
                remedy="Judge more frames.",
            )
        return self._scatter / (self.count - 1)

    def update(self, features: Tensor) -> None:
        """Take in features [N, D]. Raises BadInput for another size, NaN or infinity; nothing is taken in then."""
        if features.ndim != 2 or (self.count and features.shape[1] != len(self._mean)):
            wanted = f"[N, {len(self._mean)}]" if self.count else "[N, D]"
            raise BadInput(
                "Features", expected=wanted, got=list(features.shape), remedy="Use one extractor for all of them."
            )
        if not torch.isfinite(features).all():
            raise BadInput(
                "Features", expected="finite numbers", got="NaN or infinity", remedy="Check the extractor's weights."
            )
        if len(features) == 0:
            return
        rows = features.detach().to("cpu", torch.float64)
        mean = rows.mean(0)
        centred = rows - mean
        self._join(len(rows), mean, centred.T @ centred)

    def merge(self, other: "FrechetStatistics") -> None:
        """Take in what was gathered elsewhere. Raises BadInput for features of another extractor or size."""
        _require_alike(self, other)
        if other.count:
            self._join(other.count, other._mean, other._scatter)

    def state_dict(self) -> dict[str, object]:
        """Everything, for `torch.save` or another rank."""
        return {"extractor": self.extractor, "count": self.count, "mean": self._mean, "scatter": self._scatter}

    @classmethod
    def from_state_dict(cls, state: dict) -> "FrechetStatistics":
        """The inverse of `state_dict`."""
        made = cls(state["extractor"])
        made.count, made._mean, made._scatter = state["count"], state["mean"], state["scatter"]
        return made

    def _join(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        if self.count == 0:
            self.count, self._mean, self._scatter = count, mean.clone(), scatter.clone()
            return
        total = self.count + count
        difference = mean - self._mean
        shift = torch.outer(difference, difference) * (self.count * count / total)
        self._mean = self._mean + difference * (count / total)
        self._scatter = self._scatter + scatter + shift
        self.count = total


def frechet_distance(a: FrechetStatistics, b: FrechetStatistics) -> float:
    """The squared Fréchet distance, as FID is given. Raises BadInput for unlike features or fewer than two rows.

    The trace of (cov_a cov_b)^(1/2) is the sum of the square roots of the eigenvalues of the symmetric
    cov_a^(1/2) cov_b cov_a^(1/2): no complex numbers, and no trouble with the singular covariances of few rows.
    """
    _require_alike(a, b)
    cov_a, cov_b = a.covariance, b.covariance
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    middle = torch.linalg.eigvalsh(root @ cov_b @ root)
    both = middle.clamp_min(0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + cov_a.trace() + cov_b.trace() - 2 * both
    return float(distance.clamp_min(0))


def _require_alike(a: FrechetStatistics, b: FrechetStatistics) -> None:
    names = a.extractor != b.extractor
    if names or (a.count and b.count and len(a.mean) != len(b.mean)):
        raise BadInput(
            "Features to compare",
            expected=f"those of `{a.extractor}`" if names else f"{len(a.mean)} dimensions",
            got=f"those of `{b.extractor}`" if names else f"{len(b.mean)}",
            remedy="Use one extractor for all of them.",
        )
