"""SSIM, MS-SSIM and LPIPS of each frame, and which of them fit frames of a size."""

import numpy as np
import pytest
import torch
from metric_networks import TracedLpips, script
from torch import nn

from hwm_core.evaluation.frame_measures import FrameMeasures
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable

WINDOWS, FRAMES = 6, 4
CLIP = (FRAMES, 16, 16)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (WINDOWS, FRAMES, 16, 16, 3), dtype=np.uint8)


def test_lpips_has_a_value_for_each_frame_and_small_frames_have_no_ms_ssim(tmp_path) -> None:
    eye = Lpips("script", script(TracedLpips(), tmp_path / "eye.pt"))
    measures = FrameMeasures((16, 16), structure=True, lpips=eye)
    black = np.zeros((2, 3, 16, 16, 3), np.uint8)
    grey = black.copy()
    grey[1, 2] = 51
    values = measures.of(grey, black)
    expected = np.zeros((2, 3))
    expected[1, 2] = 0.04  # (51 / 255)^2
    assert values["lpips"] == pytest.approx(expected) and list(values) == ["ssim", "lpips"]
    [missing] = measures.unavailable
    assert missing.metric == "MS-SSIM" and "176 pixels" in missing.reason


def test_frames_of_176_pixels_have_ms_ssim() -> None:
    measures = FrameMeasures((176, 180), structure=True, lpips=None)
    frames = np.random.default_rng(0).integers(0, 256, (1, 2, 176, 180, 3), dtype=np.uint8)
    assert measures.unavailable == ()
    assert measures.of(frames, frames)["ms_ssim"] == pytest.approx(np.ones((1, 2)), abs=1e-4)


class WantsLarge(nn.Module):
    """Has a window of 32 pixels."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d((a - b).square(), 32).mean([1, 2, 3])


def test_an_lpips_network_that_fails_on_frames_of_this_size_is_unavailable(tmp_path) -> None:
    eye = Lpips("script", script(WantsLarge(), tmp_path / "large.pt"))
    measures = FrameMeasures((16, 16), structure=False, lpips=eye)
    [missing] = measures.unavailable
    assert missing.metric == "LPIPS" and "[1, 3, 16, 16]" in missing.reason
    assert measures.of(noise(0), noise(1)) == {}
    assert FrameMeasures((64, 64), structure=False, lpips=eye).unavailable == ()


def test_measures_that_were_not_requested_are_neither_computed_nor_missing() -> None:
    nothing = FrameMeasures((16, 16), structure=False, lpips=None)
    assert nothing.of(noise(0), noise(1)) == {} and nothing.unavailable == ()
    absent = Unavailable("LPIPS", "no file", "Name one.")
    assert FrameMeasures((16, 16), structure=False, lpips=absent).unavailable == (absent,)
