"""The path from noise (t = 0) to data (t = 1) of flow matching (paper section 2.3).

x_t = t * data + (1 - (1 - sigma_min) * t) * noise, with velocity data - (1 - sigma_min) * noise.
"""

from torch import Tensor


def interpolate(noise: Tensor, data: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """x_t at times t [B] (paper equation 1)."""
    t = _per_sample(t, data)
    return t * data + (1 - (1 - sigma_min) * t) * noise


def linear_estimate(x: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """The best linear estimate of the data from x_t at times t [B]; data and noise have unit variance."""
    noise = 1 - (1 - sigma_min) * t
    return _per_sample(t / (t.square() + noise.square()), x) * x


def noise_level(t: Tensor, sigma_min: float) -> Tensor:
    """The share of noise in x_t, at least 0.05, to divide by (Li & He 2025, arXiv 2511.13720, section 4)."""
    return (1 - (1 - sigma_min) * t.float()).clamp_min(0.05)


def velocity_to(data: Tensor, x: Tensor, t: Tensor, sigma_min: float) -> Tensor:
    """Velocity at times t [B] of the path that leads through `x` to `data`, float32."""
    return (data.float() - (1 - sigma_min) * x.float()) / _per_sample(noise_level(t, sigma_min), data)


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    """[B] -> [B, 1, ..., 1], to broadcast against `like` [B, ...]."""
    return values.view(-1, *[1] * (like.ndim - 1))
