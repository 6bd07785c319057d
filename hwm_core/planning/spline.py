"""Splines over the horizon: the search has fewer variables than one per frame, and every sample is smooth."""

from itertools import pairwise

import torch
from torch import Tensor


def knot_frames(num_knots: int, num_frames: int) -> list[int]:
    """Frames of the knots (0 = the first future frame): evenly spaced, the last knot on the last frame."""
    return [round((k + 1) * num_frames / num_knots) - 1 for k in range(num_knots)]


def spline_basis(num_knots: int, num_frames: int) -> Tensor:
    """[F, K] such that `basis @ knots` passes through the knots, is 0 at the newest past frame and ends at rest.

    Cubic Hermite splines with Catmull-Rom tangents. The end tangent is zero, because the goal is a still image. With a
    knot on every frame the basis is the identity.
    """
    times = [-1, *knot_frames(num_knots, num_frames)]
    values = torch.eye(num_knots + 1)  # row i: the value at times[i], as a combination of (0, knots)
    tangents = torch.zeros_like(values)
    tangents[0] = (values[1] - values[0]) / (times[1] - times[0])
    for i in range(1, num_knots):
        tangents[i] = (values[i + 1] - values[i - 1]) / (times[i + 1] - times[i - 1])
    rows = []
    for i, (begin, end) in enumerate(pairwise(times)):
        for frame in range(begin + 1, end + 1):
            u, width = (frame - begin) / (end - begin), end - begin
            rows.append(
                (1 + 2 * u) * (1 - u) ** 2 * values[i]
                + u * (1 - u) ** 2 * width * tangents[i]
                + u**2 * (3 - 2 * u) * values[i + 1]
                + u**2 * (u - 1) * width * tangents[i + 1]
            )
    return torch.stack(rows)[:, 1:]  # the value at the newest past frame is 0
