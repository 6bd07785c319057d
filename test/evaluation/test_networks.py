"""What an evaluation sees through networks, and which measures fit its frames."""

import numpy as np
import pytest
import torch
from metric_networks import Colours, PublishedI3d, TracedLpips, WantsLong, script
from torch import nn

from hwm_core.errors import BadConfig
from hwm_core.evaluation import distances
from hwm_core.evaluation.distances import Features
from hwm_core.evaluation.measures import Measures, measured
from hwm_core.evaluation.report import distances_plain, distances_table
from hwm_core.evaluation.table import digits
from hwm_core.io.resumable import Numbers
from hwm_core.metrics.extractors import load_extractor
from hwm_core.metrics.kid import KernelDistance, kernel_distance
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable

WINDOWS, FRAMES = 6, 4
CLIP = (FRAMES, 16, 16)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (WINDOWS, FRAMES, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def features(tmp_path) -> Features:
    files = {"script": script(Colours(), tmp_path / "colours.pt"), "i3d": script(PublishedI3d(), tmp_path / "i3d.pt")}
    return Features([load_extractor(kind, path) for kind, path in files.items()], CLIP)


def parts(features: Features, size: int) -> list[Numbers]:
    """Features of the truth and of two rows, `size` windows at a time."""
    whole = {**features.of(None, noise(0)), **features.of("model", noise(1) // 2), **features.of("copy_last", noise(0))}
    return [{name: rows[at : at + size] for name, rows in whole.items()} for at in range(0, WINDOWS, size)]


def found(features: Features, size: int = WINDOWS, seed: int = 0) -> distances.Distances:
    return features.distances(["model", "copy_last", "none"], parts(features, size), windows=WINDOWS, seed=seed)


def test_the_kernel_distance_is_over_the_features_of_the_frechet_distance(features) -> None:
    clips = [torch.from_numpy(frames).permute(0, 1, 4, 2, 3) for frames in (noise(1) // 2, noise(0))]
    frames, videos = features.extractors
    assert list(found(features)) == ["FD-colours", "KD-colours", "FVD", "KVD"]
    expected = kernel_distance(*(frames.features(some.flatten(0, 1)) for some in clips), seed=0)
    assert found(features)["KD-colours"]["model"] == expected and expected.subset_size == WINDOWS * FRAMES
    expected = kernel_distance(*(videos.features(some) for some in clips), seed=0)
    assert found(features)["KVD"]["model"] == expected and expected.subset_size == WINDOWS


def test_distances_are_the_same_for_batches_of_any_size_and_pictures_are_near_themselves(features) -> None:
    whole = found(features)
    for size in (1, 2, 4):
        some = found(features, size)
        assert some["FD-colours"] == pytest.approx(whole["FD-colours"])
        assert {metric: some[metric] for metric in ("KD-colours", "KVD")} == {
            m: whole[m] for m in ("KD-colours", "KVD")
        }
    assert whole["FVD"]["copy_last"] < whole["FVD"]["model"]
    assert whole["KVD"]["copy_last"].mean < whole["KVD"]["model"].mean


def test_of_many_frames_some_are_drawn_by_the_seed_and_alike_for_batches_of_any_size(features, monkeypatch) -> None:
    monkeypatch.setattr(distances, "_MOST", 10)
    first = found(features)["KD-colours"]["model"]
    assert isinstance(first, KernelDistance) and first.subset_size == 10
    assert all(found(features, size)["KD-colours"]["model"] == first for size in (1, 4))
    assert found(features, seed=1)["KD-colours"]["model"] != first


def test_two_networks_whose_distances_would_have_one_name_are_rejected(tmp_path) -> None:
    extractor = load_extractor("script", script(Colours(), tmp_path / "colours.pt"))
    with pytest.raises(BadConfig, match="FD-colours more than once"):
        Features([extractor, extractor], CLIP)


def test_lpips_is_of_each_frame_and_small_frames_have_no_ms_ssim(tmp_path) -> None:
    eye = Lpips("script", script(TracedLpips(), tmp_path / "eye.pt"))
    measures = Measures((16, 16), structure=True, lpips=eye)
    black = np.zeros((2, 3, 16, 16, 3), np.uint8)
    grey = black.copy()
    grey[1, 2] = 51
    numbers = measures.of("model", grey, black)
    expected = np.zeros((2, 3))
    expected[1, 2] = 0.04  # (51 / 255)^2
    assert measured("model", numbers)["lpips"] == pytest.approx(expected)
    assert list(measured("model", numbers)) == ["ssim", "lpips"] and measured("other", numbers) == {}
    [missing] = measures.unavailable
    assert missing.metric == "MS-SSIM" and "176 pixels" in missing.reason


def test_frames_of_176_pixels_have_ms_ssim() -> None:
    measures = Measures((176, 180), structure=True, lpips=None)
    frames = np.random.default_rng(0).integers(0, 256, (1, 2, 176, 180, 3), dtype=np.uint8)
    assert measures.unavailable == ()
    assert measures.of("model", frames, frames)["model/ms_ssim"] == pytest.approx(np.ones((1, 2)), abs=1e-4)


class WantsLarge(nn.Module):
    """Has a window of 32 pixels."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d((a - b).square(), 32).mean([1, 2, 3])


def test_an_lpips_that_does_not_take_frames_of_this_size_is_unavailable_and_says_so(tmp_path) -> None:
    eye = Lpips("script", script(WantsLarge(), tmp_path / "large.pt"))
    measures = Measures((16, 16), structure=False, lpips=eye)
    [missing] = measures.unavailable
    assert missing.metric == "LPIPS" and "[1, 3, 16, 16]" in missing.reason
    assert measures.of("model", noise(0), noise(1)) == {}
    assert Measures((64, 64), structure=False, lpips=eye).unavailable == ()


def test_an_extractor_that_does_not_take_clips_of_this_length_is_unavailable_and_the_others_go_on(tmp_path) -> None:
    long = load_extractor("i3d", script(WantsLong(), tmp_path / "long.pt"))
    short = load_extractor("script", script(Colours(), tmp_path / "colours.pt"))
    features = Features([long, short], CLIP)
    assert features.extractors == [short] and list(found(features)) == ["FD-colours", "KD-colours"]
    assert [one.metric for one in features.unavailable] == ["FVD", "KVD"]
    assert "[1, 4, 3, 16, 16]" in features.unavailable[0].reason and "i3d_torchscript" in features.unavailable[0].remedy
    assert Features([long, short], (16, 16, 16)).unavailable == ()


def test_nothing_is_measured_or_missing_that_nobody_asked_for() -> None:
    asked_for_nothing = Measures((16, 16), structure=False, lpips=None)
    assert asked_for_nothing.of("model", noise(0), noise(1)) == {} and asked_for_nothing.unavailable == ()
    absent = Unavailable("LPIPS", "no file", "Name one.")
    assert Measures((16, 16), structure=False, lpips=absent).unavailable == (absent,)


def test_small_distances_keep_their_digits_and_kernel_distances_their_deviation() -> None:
    class Result:
        distances = {  # noqa: RUF012
            "FID": {"model": 12.34567},
            "KID": {"model": KernelDistance(0.00123456, 0.000456, 100, 1000)},
            "KD-one": {"model": KernelDistance(-0.25, 0.0, 1, 48)},
        }
        num_frames, num_episodes, seed = 8, 2, 5

        def __len__(self) -> int:
            return 6

    assert distances_table(Result()).lines == [["model", "12.35", "0.001235 ± 0.00046", "-0.25"]]
    kid = distances_plain(Result())["KID"]["model"]
    n = {"windows": 6, "episodes": 2, "seed": 5, "frames_of_window": 8}
    assert kid == {"mean": 0.00123456, "std": 0.000456, "subsets": 100, "subset_size": 1000, **n}
    assert (digits(1234.5), digits(0.5)) == ("1234.50", "0.5")
