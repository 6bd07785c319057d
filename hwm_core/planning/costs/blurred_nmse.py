"""Normalised mean squared error after a blur: it also decreases towards the goal when the distance is large."""

import torch
from torch import Tensor


def blurred_nmse(values: Tensor, goal: Tensor, smoothing: float, discount: float) -> Tensor:
    """Mean squared error of blurred values, divided by the variance of the blurred goal; discounted mean over time.

    0 is the goal. 1 is the error of a constant image with the goal's mean, for any units and any blur.

    Args:
        values: [S, T, H, W, C], of pixels, latents or colours.
        goal: [H, W, C].
        smoothing: standard deviation of the blur, in cells.
        discount: weight of a time step relative to the next one; 0: only the last step counts.

    Returns:
        [S].
    """
    error = blur(values - goal, smoothing).square().mean(dim=(-3, -2, -1))  # [S, T]
    variance = blur(goal, smoothing).flatten(0, 1).var(dim=0, correction=0).mean()
    return discounted_mean(error, discount) / variance.clamp(min=1e-6)


def blur(values: Tensor, sigma: float) -> Tensor:
    """Blur [..., H, W, C] over H and W with a Gaussian of `sigma` cells. At the border the kernel is renormalised."""
    if sigma == 0:
        return values
    rows = _gaussian_matrix(values.shape[-3], sigma, values)
    columns = _gaussian_matrix(values.shape[-2], sigma, values)
    return torch.einsum("...hwc,ih,jw->...ijc", values, rows, columns)


def discounted_mean(values: Tensor, discount: float) -> Tensor:
    """Weighted mean over time, [S, T] -> [S]. Each step has `discount` times the weight of the next step."""
    steps = torch.arange(values.shape[1] - 1, -1, -1, device=values.device)
    weights = discount ** steps.to(values.dtype)
    return (values * weights).sum(dim=1) / weights.sum()


def _gaussian_matrix(size: int, sigma: float, like: Tensor) -> Tensor:
    """[size, size] whose rows are Gaussians that sum to 1."""
    cell = torch.arange(size, device=like.device, dtype=like.dtype)
    kernel = torch.exp(-0.5 * ((cell[:, None] - cell[None, :]) / sigma) ** 2)
    return kernel / kernel.sum(dim=1, keepdim=True)
