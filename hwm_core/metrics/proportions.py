"""Success rates: Wilson's interval, and the exact McNemar test for two methods on the same episodes."""

from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist


def wilson_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a success rate (Wilson 1927). It stays within 0 and 1, and is usable from a few episodes on.

    Raises ValueError unless 0 <= successes <= episodes and episodes > 0.
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"{successes} successes of {episodes} episodes")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, weight = successes / episodes, z * z / episodes
    centre = (rate + weight / 2) / (1 + weight)
    half = z * sqrt(rate * (1 - rate) / episodes + weight / (4 * episodes)) / (1 + weight)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_exact(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided p value of equal success rates on the same episodes (McNemar 1947, exact binomial form).

    Only episodes with different outcomes count; without one, p is 1.

    Raises ValueError for sequences of different lengths.
    """
    wins = sum(a and not b for a, b in zip(first, second, strict=True))
    losses = sum(b and not a for a, b in zip(first, second, strict=True))
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1)) / 2**n
    return min(1.0, 2 * tail)
