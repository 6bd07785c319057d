"""Motions through postures, made of overlapping minimum-jerk moves (Flash and Henis 1991)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """When a move begins and ends, as shares of the horizon. Moves may overlap: then the motion rounds the corner."""

    begin: float
    end: float | Tensor  # one for all motions, or [S]


def through(postures: Sequence[Tensor], spans: Sequence[Span], columns: Tensor, stop: Tensor) -> Tensor:
    """Motions [S, F, A] that stop the present motion, while they move through postures.

    Args:
        postures: the way points, each [S, J].
        spans: of the move to each way point.
        columns: [J] the joints of the postures; the others stop.
        stop: [F, A] the motion that stops the present one.
    """
    motions = stop.expand(len(postures[0]), -1, -1).clone()
    frames = len(stop)
    time = torch.arange(1, frames + 1, device=stop.device, dtype=stop.dtype) / frames
    before = stop[-1, columns].expand(len(postures[0]), -1)
    for posture, span in zip(postures, spans, strict=True):
        end = span.end[:, None] if isinstance(span.end, Tensor) else span.end
        share = minimum_jerk((time - span.begin) / (end - span.begin))  # [F] or [S, F]
        motions[..., columns] += share[..., None] * (posture - before)[:, None]
        before = posture
    return motions


def minimum_jerk(time: Tensor) -> Tensor:
    """The share of a move that is done at `time`, in shares of its duration: 0 before 0, 1 after 1."""
    time = time.clamp(0, 1)
    return time**3 * (10 - 15 * time + 6 * time.square())
