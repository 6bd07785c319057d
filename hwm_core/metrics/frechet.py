"""Fréchet distance between two sets of features, each modelled as a Gaussian (Dowson & Landau 1982; arXiv 1706.08500).

`d^2 = |mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))`. It is called FID only with the Inception
network of FID, and FVD only with I3D. With any other network, it has the name of the network (`Extractor.metric`).
"""

import torch
from torch import Tensor

from hwm_core.errors import BadInput


class FrechetStatistics:
    """Number, mean and covariance of features, accumulated batch by batch in float64.

    Batches are merged by the pairwise update of Chan, Golub & LeVeque (1979): the batch size changes only the last
    digits. Sums of squares would lose all digits if the mean is large.

    Args:
        extractor: identity of the network. Features of different networks are never compared.
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
                remedy="Evaluate more frames.",
            )
        return self._scatter / (self.count - 1)

    def update(self, features: Tensor) -> None:
        """Add features [N, D]. Raises BadInput for another D, NaN or infinity, before anything is added."""
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
    """The squared Fréchet distance, as in FID. Raises BadInput for different networks or fewer than two rows.

    The trace of (cov_a cov_b)^(1/2) is the sum of the square roots of the eigenvalues of the symmetric matrix
    cov_a^(1/2) cov_b cov_a^(1/2). This needs no complex numbers, and works for singular covariances of few rows.
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
            expected=f"features of `{a.extractor}`" if names else f"{len(a.mean)} dimensions",
            got=f"features of `{b.extractor}`" if names else f"{len(b.mean)}",
            remedy="Use one extractor for all of them.",
        )
