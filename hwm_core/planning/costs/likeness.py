"""How far pictures (of pixels, latents or colours) are from a goal, so that it is felt from afar."""

import torch
from torch import Tensor


def unlikeness(pictures: Tensor, goal: Tensor, smoothing: float, discount: float) -> Tensor:
    """Mean squared difference of blurred pictures, as a share of the contrast of the blurred goal.

    0 is the goal, and 1 about as far as a plain grey picture, in whatever space and at whatever blur.

    Args:
        pictures: [S, T, H, W, C].
        goal: [H, W, C].
        smoothing: standard deviation of the blur, in cells.
        discount: weight of a time step relative to the next; 0: the last alone.

    Returns:
        [S].
    """
    error = blur(pictures - goal, smoothing).square().mean(dim=(-3, -2, -1))  # [S, T]
    contrast = blur(goal, smoothing).flatten(0, 1).var(dim=0, correction=0).mean()
    return discounted_mean(error, discount) / contrast.clamp(min=1e-6)


def blur(pictures: Tensor, sigma: float) -> Tensor:
    """Blur [..., H, W, C] over H and W with a Gaussian of `sigma` cells. At the border the kernel keeps its sum."""
    if sigma == 0:
        return pictures
    rows = _gaussian_matrix(pictures.shape[-3], sigma, pictures)
    columns = _gaussian_matrix(pictures.shape[-2], sigma, pictures)
    return torch.einsum("...hwc,ih,jw->...ijc", pictures, rows, columns)


def discounted_mean(values: Tensor, discount: float) -> Tensor:
    """Mean over time, [S, T] -> [S], each step weighing `discount` times the step after it (0: the last step alone)."""
    steps = torch.arange(values.shape[1] - 1, -1, -1, device=values.device)
    weights = discount ** steps.to(values.dtype)
    return (values * weights).sum(dim=1) / weights.sum()


def _gaussian_matrix(size: int, sigma: float, like: Tensor) -> Tensor:
    """[size, size] whose rows are Gaussians that sum to 1."""
    cell = torch.arange(size, device=like.device, dtype=like.dtype)
    kernel = torch.exp(-0.5 * ((cell[:, None] - cell[None, :]) / sigma) ** 2)
    return kernel / kernel.sum(dim=1, keepdim=True)
