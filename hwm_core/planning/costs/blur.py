"""Gaussian blur: an image cost falls towards its goal from afar only where the image is smooth."""

import torch
from torch import Tensor


def blur(images: Tensor, sigma: float) -> Tensor:
    """Blur [..., H, W, C] over H and W with a Gaussian of `sigma` cells. At the border the kernel keeps its sum."""
    if sigma == 0:
        return images
    rows = _gaussian_matrix(images.shape[-3], sigma, images)
    columns = _gaussian_matrix(images.shape[-2], sigma, images)
    return torch.einsum("...hwc,ih,jw->...ijc", images, rows, columns)


def _gaussian_matrix(size: int, sigma: float, like: Tensor) -> Tensor:
    """[size, size] whose rows are Gaussians that sum to 1."""
    cell = torch.arange(size, device=like.device, dtype=like.dtype)
    kernel = torch.exp(-0.5 * ((cell[:, None] - cell[None, :]) / sigma) ** 2)
    return kernel / kernel.sum(dim=1, keepdim=True)
