"""PSNR, intervals over episodes, rank correlation and latency percentiles on known cases."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.latency import Latencies
from hwm_core.metrics.psnr import frame_mse, masked_mse, mean_psnr, pooled_psnr, psnr
from hwm_core.metrics.ranking import spearman, top1_regret


def grey(value: int, count: int = 1) -> np.ndarray:
    return np.full((count, 4, 4, 3), value, np.uint8)


def test_one_grey_level_in_five_is_14_db() -> None:
    # 51 / 255 = 0.2; mse 0.04; -10 log10 0.04 = 13.979 dB
    assert psnr(frame_mse(grey(51), grey(0))) == pytest.approx([13.979], abs=1e-3)


def test_a_perfect_frame_has_60_db() -> None:
    assert psnr(frame_mse(grey(7), grey(7))) == pytest.approx([60.0])


def test_psnr_equals_that_of_torchmetrics() -> None:
    one, other = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    expected = peak_signal_noise_ratio(
        torch.from_numpy(one / 255), torch.from_numpy(other / 255), 1.0, reduction="none", dim=(1, 2, 3)
    )
    np.testing.assert_allclose(psnr(frame_mse(one, other)), expected, rtol=1e-6)


def test_mean_and_pooled_psnr_of_two_windows() -> None:
    # errors 0.01 and 0.0001: 20 dB and 40 dB, mean 30; pooled mse 0.00505 is 22.967 dB
    errors = np.array([1e-2, 1e-4])
    assert mean_psnr(errors) == pytest.approx(30.0)
    assert pooled_psnr(errors) == pytest.approx(22.967, abs=1e-3)


def test_only_pixels_inside_the_mask_count() -> None:
    prediction, truth = grey(0, 2), grey(0, 2)
    prediction[0, 0, 0] = 51  # inside the mask: one of two pixels is wrong by 0.2
    prediction[0, 3, 3] = 255  # outside
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 0, :2] = True
    error, pixels = masked_mse(prediction, truth, mask)
    assert error[0] == pytest.approx(0.04 / 2)
    assert np.isnan(error[1]), "an empty mask has no error"
    assert pixels.tolist() == [2, 0]


def test_pooled_masked_psnr_weights_windows_by_their_pixels() -> None:
    # (0.1 * 1 + 0.01 * 9) / 10 = 0.019 -> 17.212 dB; the NaN window is left out
    errors = np.array([0.1, 0.01, np.nan])
    assert pooled_psnr(errors, np.array([1, 9, 0])) == pytest.approx(17.212, abs=1e-3)
    assert mean_psnr(errors) == pytest.approx(15.0)


def test_uint8_differences_do_not_wrap() -> None:
    assert frame_mse(grey(0), grey(255)) == pytest.approx([1.0])
    assert frame_mse(grey(255), grey(0)) == pytest.approx([1.0])


def test_the_bootstrap_interval_of_equal_episodes_has_no_width() -> None:
    interval = paired_bootstrap(np.tile([1.0, 3.0], 5), np.arange(10) // 2, seed=0)
    assert (interval.mean, interval.low, interval.high) == (2.0, 2.0, 2.0)


def test_the_bootstrap_resamples_episodes_not_windows() -> None:
    # Five episodes of means 0, 0, 1, 1, 1. Of five resampled episodes none is a 1 with 0.4^5 = 1 %, at most one with
    # 8.7 %, so the lower 2.5 % end at 0.2. Resampling 500 single windows would stay within 0.56 .. 0.64.
    values = np.repeat([0.0, 0.0, 1.0, 1.0, 1.0], 100)
    interval = paired_bootstrap(values, np.repeat(np.arange(5), 100), seed=0)
    assert (interval.mean, interval.low, interval.high) == (0.6, 0.2, 1.0)


def test_the_bootstrap_interval_contains_a_known_mean() -> None:
    random = np.random.default_rng(1)
    episodes = np.repeat(np.arange(50), 4)
    values = 2.0 + random.normal(size=50)[episodes]
    interval = paired_bootstrap(values, episodes, seed=0)
    # standard error 1 / sqrt(50) = 0.14, so the interval is about 4 x 0.14 = 0.55 wide
    assert interval.low is not None and interval.high is not None
    assert interval.low < 2.0 < interval.high
    assert 0.4 < interval.high - interval.low < 0.7


def test_the_bootstrap_is_deterministic_and_skips_nan() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0])
    interval = paired_bootstrap(values, np.arange(6), seed=3)
    assert interval == paired_bootstrap(values, np.arange(6), seed=3)
    assert interval.mean == pytest.approx(18 / 5) and interval.low is not None


@pytest.mark.parametrize("episodes", [1, 2, 4])
def test_fewer_than_five_episodes_give_a_mean_without_an_interval(episodes: int) -> None:
    values = np.arange(8.0)
    interval = paired_bootstrap(values, np.arange(8) % episodes, seed=0)
    assert (interval.mean, interval.low, interval.high) == (3.5, None, None)
    assert paired_bootstrap(values, np.arange(8) % 5, seed=0).low is not None


def test_spearman_is_one_for_any_increasing_function() -> None:
    true = np.array([0.1, 0.5, 0.2, 0.9])
    assert spearman(np.exp(true), true) == pytest.approx(1.0)
    assert spearman(-true, true) == pytest.approx(-1.0)


def test_spearman_of_known_ranks() -> None:
    # ranks 1 2 3 4 5 against 2 1 4 3 5: sum d^2 = 4; 1 - 6 * 4 / (5 * 24) = 0.8
    assert spearman([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]) == pytest.approx(0.8)


def test_spearman_gives_ties_their_mean_rank() -> None:
    # ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, variances 1.5 and 2; 1.5 / sqrt(3) = 0.866
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(0.8660, abs=1e-4)
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_top1_regret_is_the_lost_fraction_of_the_range() -> None:
    assert top1_regret([3, 1, 2], [10, 0, 5]) == 0.0
    assert top1_regret([1, 3, 2], [10, 0, 5]) == 1.0
    assert top1_regret([3, 2, 1], [10, 0, 5]) == 0.5
    assert top1_regret([1, 2], [4, 4]) == 0.0, "all candidates are equally good"


def test_latency_percentiles_are_in_milliseconds() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 101):
        latencies.add("encode", milliseconds / 1e3)
    # linear interpolation between order statistics: p50 of 1..100 is 50.5, p95 is 95.05
    assert latencies.summary()["encode"]["p50"] == pytest.approx(50.5)
    assert latencies.summary()["encode"]["p95"] == pytest.approx(95.05)


def test_latencies_keep_the_newest_values() -> None:
    latencies = Latencies(capacity=2)
    for seconds in (9.0, 1.0, 1.0):
        latencies.add("tick", seconds)
    assert latencies.summary()["tick"]["p99"] == pytest.approx(1000.0)
