"""Distances between sets of frames, over the features of networks."""

import numpy as np
import pytest
import torch
from metric_networks import Colours, PublishedI3d, WantsLong, script

from hwm_core.errors import BadConfig
from hwm_core.evaluation import distances
from hwm_core.evaluation.distances import Features
from hwm_core.evaluation.json_report import distances_json
from hwm_core.evaluation.table import digits
from hwm_core.evaluation.tables import distances_table
from hwm_core.metrics.extractors import load_extractor
from hwm_core.metrics.kid import KernelDistance, kernel_distance

WINDOWS, FRAMES = 6, 4
CLIP = (FRAMES, 16, 16)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (WINDOWS, FRAMES, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def features(tmp_path) -> Features:
    files = {"script": script(Colours(), tmp_path / "colours.pt"), "i3d": script(PublishedI3d(), tmp_path / "i3d.pt")}
    return Features([load_extractor(kind, path) for kind, path in files.items()], CLIP)


def batches(features: Features, size: int) -> list[distances.FeatureArrays]:
    """Features of the truth and of two conditions, `size` windows at a time."""
    frames = {distances.TRUTH: noise(0), "model": noise(1) // 2, "copy_last": noise(0)}
    whole = {name: features.of(name, values)[name] for name, values in frames.items()}
    return [
        {name: {metric: rows[at : at + size] for metric, rows in of.items()} for name, of in whole.items()}
        for at in range(0, WINDOWS, size)
    ]


def all_distances(features: Features, size: int = WINDOWS, seed: int = 0) -> distances.Distances:
    return features.distances(["model", "copy_last", "none"], batches(features, size), windows=WINDOWS, seed=seed)


def test_the_kernel_distance_uses_the_features_of_the_frechet_distance(features) -> None:
    clips = [torch.from_numpy(frames).permute(0, 1, 4, 2, 3) for frames in (noise(1) // 2, noise(0))]
    frames, videos = features.extractors
    assert list(all_distances(features)) == ["FD-colours", "KD-colours", "FVD", "KVD"]
    expected = kernel_distance(*(frames.features(some.flatten(0, 1)) for some in clips), seed=0)
    assert all_distances(features)["KD-colours"]["model"] == expected and expected.subset_size == WINDOWS * FRAMES
    expected = kernel_distance(*(videos.features(some) for some in clips), seed=0)
    assert all_distances(features)["KVD"]["model"] == expected and expected.subset_size == WINDOWS


def test_distances_do_not_depend_on_the_batch_size_and_are_smallest_to_the_same_frames(features) -> None:
    whole = all_distances(features)
    for size in (1, 2, 4):
        some = all_distances(features, size)
        assert some["FD-colours"] == pytest.approx(whole["FD-colours"])
        assert {metric: some[metric] for metric in ("KD-colours", "KVD")} == {
            m: whole[m] for m in ("KD-colours", "KVD")
        }
    assert whole["FVD"]["copy_last"] < whole["FVD"]["model"]
    assert whole["KVD"]["copy_last"].mean < whole["KVD"]["model"].mean


def test_a_random_subset_of_many_frames_depends_on_the_seed_and_not_on_the_batch_size(features, monkeypatch) -> None:
    monkeypatch.setattr(distances, "_MAX_ROWS", 10)
    first = all_distances(features)["KD-colours"]["model"]
    assert isinstance(first, KernelDistance) and first.subset_size == 10
    assert all(all_distances(features, size)["KD-colours"]["model"] == first for size in (1, 4))
    assert all_distances(features, seed=1)["KD-colours"]["model"] != first


def test_two_networks_whose_distances_have_the_same_name_are_rejected(tmp_path) -> None:
    extractor = load_extractor("script", script(Colours(), tmp_path / "colours.pt"))
    with pytest.raises(BadConfig, match="FD-colours more than once"):
        Features([extractor, extractor], CLIP)


def test_an_extractor_that_fails_on_clips_of_this_length_is_unavailable_and_the_others_are_used(tmp_path) -> None:
    long = load_extractor("i3d", script(WantsLong(), tmp_path / "long.pt"))
    short = load_extractor("script", script(Colours(), tmp_path / "colours.pt"))
    features = Features([long, short], CLIP)
    assert features.extractors == [short] and list(all_distances(features)) == ["FD-colours", "KD-colours"]
    assert [one.metric for one in features.unavailable] == ["FVD", "KVD"]
    assert "[1, 4, 3, 16, 16]" in features.unavailable[0].reason and "i3d_torchscript" in features.unavailable[0].remedy
    assert Features([long, short], (16, 16, 16)).unavailable == ()


def test_small_distances_are_shown_with_four_digits_and_kernel_distances_with_their_deviation() -> None:
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
    kid = distances_json(Result())["KID"]["model"]
    n = {"windows": 6, "episodes": 2, "seed": 5, "frames_of_window": 8}
    assert kid == {"mean": 0.00123456, "std": 0.000456, "subsets": 100, "subset_size": 1000, **n}
    assert (digits(1234.5), digits(0.5)) == ("1234.50", "0.5")
