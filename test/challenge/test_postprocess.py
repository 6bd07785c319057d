"""Blur and histogram matching of predicted frames."""

import numpy as np
import pytest

from hwm_core.challenge.postprocess import blur, match_histogram


def test_blur_keeps_the_mean_and_softens_edges() -> None:
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, 16:] = 200
    blurred = blur(frame, 2.0)
    assert blurred.mean() == pytest.approx(100, abs=1) and 0 < blurred[16, 15, 0] < 100 < blurred[16, 16, 0] < 200
    assert np.array_equal(blur(frame, 0), frame)


def test_histogram_matching_gives_the_histogram_of_the_reference_and_keeps_the_order() -> None:
    random = np.random.default_rng(0)
    frame = random.integers(0, 100, (32, 32, 3), dtype=np.uint8)
    matched = match_histogram(frame, (frame + 50).astype(np.uint8))
    assert np.array_equal(matched, frame + 50)
    reference = random.integers(30, 220, (32, 32, 3), dtype=np.uint8)
    matched = match_histogram(frame, reference)
    assert np.abs(np.sort(matched, axis=None) - np.sort(reference, axis=None).astype(int)).mean() < 4
    order = np.argsort(frame[..., 0], axis=None, kind="stable")
    assert (np.diff(matched[..., 0].ravel()[order].astype(int)) >= 0).all()
    assert np.array_equal(match_histogram(reference, reference), reference)
