"""SSIM, MS-SSIM and delta-PSNR on known cases."""

import numpy as np
import pytest

from hwm_core.errors import BadImage
from hwm_core.metrics.controllability import delta_psnr
from hwm_core.metrics.ssim import frame_ms_ssim, frame_ssim


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_equal_frames_have_ssim_one_and_each_frame_has_its_own_value() -> None:
    frames = noise(2, 3, 16, 24, 3)
    other = frames.copy()
    other[1, 2] = noise(16, 24, 3, seed=1)
    found = frame_ssim(frames, other)
    assert found.shape == (2, 3) and found[1, 2] < 0.2
    assert np.delete(found.ravel(), 5) == pytest.approx(np.ones(5))


def test_uniform_frames_are_compared_by_their_brightness_only() -> None:
    # Without variance SSIM is (2 a b + c1) / (a^2 + b^2 + c1) with c1 = 0.01^2: for 0.2 and 0.4, 0.1601 / 0.2001
    dark, bright = np.full((16, 16, 3), 51, np.uint8), np.full((16, 16, 3), 102, np.uint8)
    assert float(frame_ssim(dark, bright)) == pytest.approx(0.1601 / 0.2001, abs=1e-4)


def test_fine_noise_lowers_ms_ssim_less_than_ssim() -> None:
    frame = np.repeat(np.repeat(noise(12, 12, 3), 16, axis=0), 16, axis=1)
    rough = np.clip(frame.astype(int) + np.random.default_rng(1).integers(-30, 31, frame.shape), 0, 255).astype(
        np.uint8
    )
    assert float(frame_ms_ssim(frame, frame)) == pytest.approx(1.0, abs=1e-4)
    assert float(frame_ssim(frame, rough)) < float(frame_ms_ssim(frame, rough)) < 1.0


def test_the_smallest_frames_for_five_scales_are_accepted() -> None:
    # 11 pixels of the window, halved four times before: 11 * 16 = 176
    assert float(frame_ms_ssim(noise(176, 176, 3), noise(176, 176, 3))) == pytest.approx(1.0, abs=1e-4)


def test_frames_that_are_too_small_or_differ_in_shape_are_rejected() -> None:
    with pytest.raises(BadImage, match="176 pixels"):
        frame_ms_ssim(noise(176, 175, 3), noise(176, 175, 3))
    with pytest.raises(BadImage, match="11 pixels"):
        frame_ssim(noise(8, 8, 3), noise(8, 8, 3))
    with pytest.raises(BadImage, match="one shape"):
        frame_ssim(noise(16, 16, 3), noise(16, 18, 3))


def test_delta_psnr_is_the_gain_of_the_true_actions() -> None:
    # errors of 0.01 and 0.1: 20 dB and 10 dB in each of five episodes
    true, other, episodes = np.full(10, 0.01), np.full(10, 0.1), np.arange(10) // 2
    found = delta_psnr(true, other, episodes, seed=0)
    assert (found.mean, found.low, found.high) == pytest.approx((10.0, 10.0, 10.0))
    assert delta_psnr(true, true, episodes, seed=0).mean == 0.0
