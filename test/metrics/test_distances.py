"""Distances between sets of images: known cases, and the checks of the networks whose features they use."""

import numpy as np
import pytest
import torch
from metric_networks import Colours, PublishedI3d, TracedLpips, script
from torch import nn

from hwm_core.errors import BadCheckpoint, BadConfig, BadInput
from hwm_core.metrics.extractors import load_extractor
from hwm_core.metrics.frechet import FrechetStatistics, frechet_distance
from hwm_core.metrics.kid import kernel_distance
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable, or_unavailable


def statistics(rows: torch.Tensor, batch: int = 10_000) -> FrechetStatistics:
    made = FrechetStatistics()
    for part in rows.split(batch):
        made.update(part)
    return made


def exactly(mean: torch.Tensor, covariance: torch.Tensor, rows: int = 64) -> torch.Tensor:
    """Rows whose sample mean and covariance are these to rounding."""
    noise = torch.randn(rows, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise = noise - noise.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(noise.T @ noise / (rows - 1)), noise.T, upper=False).T
    return mean + white @ torch.linalg.cholesky(covariance).T


def test_the_distance_of_two_gaussians_equals_the_closed_form() -> None:
    # In one dimension d^2 = (mean difference)^2 + (deviation difference)^2; axes that commute add up:
    # (3 - 0)^2 + (2 - 1)^2 + (0 - 4)^2 + (5 - 3)^2 = 9 + 1 + 16 + 4 = 30
    a = exactly(torch.tensor([3.0, 0.0], dtype=torch.float64), torch.diag(torch.tensor([4.0, 25.0]).double()))
    b = exactly(torch.tensor([0.0, 4.0], dtype=torch.float64), torch.diag(torch.tensor([1.0, 9.0]).double()))
    assert frechet_distance(statistics(a), statistics(b)) == pytest.approx(30.0, abs=1e-9)


def test_the_distance_is_right_for_covariances_that_do_not_commute() -> None:
    # A = [[2, 1], [1, 2]], B = diag(1, 4): trace sqrt(AB) has the closed form sqrt(trace(AB) + 2 sqrt(det(AB))) of a
    # 2x2 matrix: trace(AB) = 2 + 8 = 10, det = 3 * 4 = 12; d^2 = 4 + 5 - 2 sqrt(10 + 2 sqrt(12))
    zero = torch.zeros(2, dtype=torch.float64)
    a = exactly(zero, torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double())
    b = exactly(zero, torch.diag(torch.tensor([1.0, 4.0]).double()))
    expected = 9 - 2 * np.sqrt(10 + 2 * np.sqrt(12))
    assert frechet_distance(statistics(a), statistics(b)) == pytest.approx(expected, abs=1e-9)


def test_the_distance_of_a_set_to_itself_is_zero_even_with_fewer_rows_than_dimensions() -> None:
    few = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))  # a covariance of rank 4
    assert frechet_distance(statistics(few), statistics(few)) == pytest.approx(0.0, abs=1e-6)


def test_the_frechet_distance_equals_that_of_torchmetrics() -> None:
    from torchmetrics.image.fid import _compute_fid

    generator = torch.Generator().manual_seed(1)
    a = torch.randn(300, 8, generator=generator).double() @ torch.randn(8, 8, generator=generator).double()
    b = 0.5 + torch.randn(200, 8, generator=generator).double()
    expected = _compute_fid(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())
    assert frechet_distance(statistics(a), statistics(b)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("batch", [7, 64, 1000])
def test_statistics_far_from_zero_do_not_depend_on_the_batch_size(batch: int) -> None:
    # Mean 1e6, deviation 1: sums of squares would keep 16 - 12 = 4 digits of the covariance.
    rows = 1e6 + torch.randn(1000, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    made = statistics(rows, batch)
    assert made.count == 1000
    assert torch.allclose(made.mean, rows.mean(0), rtol=1e-14, atol=0)
    assert torch.allclose(made.covariance, rows.T.cov(), rtol=1e-7, atol=1e-8)


def test_features_of_another_size_or_network_and_nan_are_rejected_and_the_statistics_stay() -> None:
    made = statistics(torch.randn(4, 3))
    for bad in (torch.randn(4, 2), torch.randn(3), torch.full((1, 3), torch.nan)):
        with pytest.raises(BadInput, match="Features"):
            made.update(bad)
    assert made.count == 4
    other = FrechetStatistics("inception:123")
    other.update(torch.randn(4, 3))
    with pytest.raises(BadInput, match="inception:123"):
        frechet_distance(made, other)
    with pytest.raises(BadInput, match="two rows"):
        frechet_distance(made, statistics(torch.randn(1, 3)))


def test_the_kernel_distance_of_a_known_case() -> None:
    # One dimension, k(x, y) = (x y + 1)^3. a = {0, 1}, b = {1, 2}: k(0,1) = 1 inside a, k(1,2) = 27 inside b, between
    # them k(0,1) + k(0,2) + k(1,1) + k(1,2) = 1 + 1 + 8 + 27 = 37. MMD^2 = 1 + 27 - 2 * 37 / 4 = 9.5
    found = kernel_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]]), seed=0)
    assert (found.mean, found.std, found.subsets, found.subset_size) == (pytest.approx(9.5), 0.0, 1, 2)


def test_the_kernel_distance_is_unbiased() -> None:
    # Two draws from one distribution: the mean over many is 0 within four standard errors, and some are below it.
    generator = torch.Generator().manual_seed(3)
    draws = torch.randn(150, 2, 12, 4, generator=generator)
    values = np.array([kernel_distance(a, b, seed=0).mean for a, b in draws])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    assert (values < 0).any()


def test_subsets_depend_on_the_seed() -> None:
    generator = torch.Generator().manual_seed(4)
    a, b = torch.randn(50, 3, generator=generator), 1 + torch.randn(30, 3, generator=generator)
    first = kernel_distance(a, b, seed=5, subsets=4, subset_size=20)
    assert first == kernel_distance(a, b, seed=5, subsets=4, subset_size=20) and first.subset_size == 20
    assert first != kernel_distance(a, b, seed=6, subsets=4, subset_size=20) and first.mean > 0


class PublishedInception(nn.Module):
    """Called as the published file is; `dim` features."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.randn(dim, 3, generator=torch.Generator().manual_seed(0)))

    def forward(self, frames: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert return_features
        return frames.float().mean([2, 3]) @ self.rows.T


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_any_scripted_module_gives_a_distance_with_its_own_name(tmp_path) -> None:
    extractor = load_extractor("script", script(Colours(), tmp_path / "colours.pt"))
    assert (extractor.name, extractor.metric, len(extractor.sha256)) == ("colours", "FD-colours", 64)
    frames = noise(5, 3, 16, 16)
    assert torch.allclose(extractor.features(frames), Colours()(frames.float() / 255))
    with pytest.raises(BadInput, match="uint8"):
        extractor.features(frames.float())


def test_fid_requires_the_published_signature_and_2048_features(tmp_path) -> None:
    good = load_extractor("inception", script(PublishedInception(2048), tmp_path / "good.pt"))
    assert good.metric == "FID" and good.features(noise(3, 3, 20, 20)).shape == (3, 2048)
    with pytest.raises(BadCheckpoint, match="expected 2048 features, got 192"):
        load_extractor("inception", script(PublishedInception(192), tmp_path / "narrow.pt"))
    with pytest.raises(BadCheckpoint, match="forward"):
        load_extractor("inception", script(Colours(), tmp_path / "colours.pt"))


def test_fvd_uses_clips(tmp_path) -> None:
    extractor = load_extractor("i3d", script(PublishedI3d(), tmp_path / "i3d.pt"))
    assert extractor.metric == "FVD" and extractor.features(noise(2, 17, 3, 8, 8)).shape == (2, 400)
    with pytest.raises(BadInput, match=r"\[N, F, 3, H, W\]"):
        extractor.features(noise(2, 3, 8, 8))


class Faulty(nn.Module):
    """A network with one of several faults."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        colours = frames.mean([2, 3])
        if self.fault == "blind":
            return torch.ones_like(colours)
        if self.fault == "neighbours":
            return colours - colours.mean(0)
        if self.fault == "infinite":
            return colours / 0.0
        return frames


@pytest.mark.parametrize(
    ("fault", "message"),
    [("blind", "different images"), ("neighbours", "rest of the batch"), ("infinite", "finite"), ("maps", "a row for")],
)
def test_a_faulty_network_is_rejected_when_it_is_loaded(tmp_path, fault, message) -> None:
    with pytest.raises(BadCheckpoint, match=message):
        load_extractor("script", script(Faulty(fault), tmp_path / "faulty.pt"))


def test_absent_and_damaged_files_make_a_metric_unavailable_with_a_remedy(tmp_path) -> None:
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    for path in (None, tmp_path / "absent.pt", tmp_path / "cut.pt"):
        found = or_unavailable("FID", lambda path=path: load_extractor("inception", path))
        assert isinstance(found, Unavailable) and "inception-2015-12-05" in found.remedy
        assert set(found.plain()) == {"unavailable", "remedy"}
    with pytest.raises(BadConfig, match="inception or i3d or script"):
        load_extractor("resnet", None)


class PublishedVgg(nn.Module):
    def forward(self, frames: torch.Tensor, resize_images: bool = True, return_lpips: bool = False) -> torch.Tensor:
        assert return_lpips and not resize_images
        return frames.flatten(1) / 255 / frames[0].numel() ** 0.5


@pytest.mark.parametrize(("kind", "module"), [("script", TracedLpips()), ("vgg16", PublishedVgg())])
def test_lpips_calls_each_kind_of_file_with_its_own_signature(tmp_path, kind, module) -> None:
    lpips = Lpips(kind, script(module, tmp_path / "net.pt"))
    black, grey = torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.full((2, 3, 32, 32), 51, dtype=torch.uint8)
    assert lpips.distance(grey, black).tolist() == pytest.approx([0.04, 0.04])  # (51 / 255)^2, by either stand-in
    assert lpips.name == "LPIPS-net" and len(lpips.sha256) == 64


def test_a_file_that_is_not_an_lpips_network_is_rejected(tmp_path) -> None:
    with pytest.raises(BadCheckpoint, match="LPIPS"):
        Lpips("script", script(Colours(), tmp_path / "colours.pt"))
    with pytest.raises(BadCheckpoint, match="no file given"):
        Lpips("vgg16", None)
