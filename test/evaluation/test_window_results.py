"""The record of what is measured on windows: stored as arrays, joined, and filtered."""

import numpy as np
import pytest

from hwm_core.evaluation.sensitivity import JointResponse
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.evaluation.window_results import FrameErrors, WindowResults


def measured(windows: int, seed: int, optional: bool = True) -> WindowResults:
    """Random numbers of windows with 3 frames ahead."""
    random = np.random.default_rng(seed)

    def errors() -> FrameErrors:
        mse, moved, ssim = random.random((3, windows, 3))
        return FrameErrors(mse, moved, {"ssim": ssim}) if optional else FrameErrors(mse, None, {})

    return WindowResults(
        conditions={"model": errors(), "copy_last": errors()},
        moved_pixels=random.integers(0, 9, (windows, 3)) if optional else None,
        features={"truth": {"FD-net": random.random((windows, 3, 5)).astype(np.float32)}} if optional else {},
        tokens=TokenScores(*({"model": random.random(windows)} for _ in range(2)), 25) if optional else None,
        sensitivity=JointResponse(random.random((windows, 2)), random.random((windows, 2))) if optional else None,
    )


def same(a: WindowResults, b: WindowResults) -> bool:
    first, second = a.to_arrays(), b.to_arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optional", [True, False])
def test_results_are_restored_from_their_arrays(optional: bool) -> None:
    results = measured(4, seed=0, optional=optional)
    restored = WindowResults.from_arrays(results.to_arrays())
    assert same(restored, results)
    assert (restored.tokens is None) == (restored.sensitivity is None) == (not optional)


@pytest.mark.parametrize("optional", [True, False])
def test_joined_parts_hold_all_windows_in_order(optional: bool) -> None:
    parts = [measured(windows, seed, optional) for seed, windows in enumerate((4, 3, 1))]
    joined = WindowResults.joined(parts)
    assert len(joined.conditions["model"].mse) == 8
    for part, at in zip(parts, (slice(0, 4), slice(4, 7), slice(7, 8)), strict=True):
        chosen = np.zeros(8, bool)
        chosen[at] = True
        assert same(joined.only(chosen), part.without_features())


def test_windows_without_perturbed_joints_are_left_out_of_the_response() -> None:
    response = JointResponse(*np.random.default_rng(0).random((2, 4, 2)))
    response.change[1], response.mse[1] = np.nan, np.nan
    response.change[2, 0] = response.mse[2, 0] = np.nan  # a joint that the robot lacks
    assert np.array_equal(response.chosen().mse, response.mse[[0, 2, 3]], equal_nan=True)
