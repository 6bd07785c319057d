"""Splines over the horizon: knots, start and end."""

import pytest
import torch

from hwm_core.planning.spline import knot_frames, spline_basis


def test_knots_are_evenly_spaced_and_end_on_the_last_frame() -> None:
    assert knot_frames(3, 24) == [7, 15, 23]


def test_the_spline_passes_through_its_knots() -> None:
    knots = torch.tensor([0.3, -1.0, 2.0])
    assert torch.allclose((spline_basis(3, 24) @ knots)[[7, 15, 23]], knots, atol=1e-6)


def test_the_spline_starts_at_zero_and_ends_at_rest() -> None:
    curve = spline_basis(2, 24) @ torch.tensor([1.0, 2.0])
    # From 0 at frame -1 with the chord's tangent 1/12: the first step is close to one chord step.
    assert float(curve[0]) == pytest.approx(1 / 12, abs=0.02)
    # Tangent 0 at the last frame: the last step of a cubic is of second order, under a third of the chord step.
    assert 0 <= float(curve[-1] - curve[-2]) < 1 / 36


def test_with_a_knot_on_every_frame_the_basis_is_the_identity() -> None:
    assert torch.equal(spline_basis(8, 8), torch.eye(8))
