"""The read-out cost: a probe from a file, its match with the model's tokenizer, and what it measures."""

from pathlib import Path

import pytest
import torch
from spot_dynamics import goal_at, space
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.costs.base import Candidates
from hwm_core.planning.costs.readout_distance import ReadoutDistance
from hwm_core.planning.costs.readout_probe import ReadoutProbe, read_probe, write_probe
from hwm_core.planning.dynamics import Goal
from hwm_core.types import Rollout


def probe(encoder: str = "made by this", channels: int = 4) -> ReadoutProbe:
    torch.manual_seed(0)
    return ReadoutProbe(channels, ("palm", "box"), encoder)


def saved(folder: Path, **options) -> str:
    write_probe(folder / "probe.safetensors", probe(**options))
    return str(folder / "probe.safetensors")


def latents(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def candidates(encoder: str = "made by this") -> Candidates:
    actions, goal = torch.zeros(3, 12, 2), Goal(goal_at(1.0).image, latents(5, 6, 4), encoder=encoder)
    rollout = Rollout(torch.cat([latents(2, 2, 5, 6, 4), goal.latent.expand(1, 2, -1, -1, -1)]))
    return Candidates(actions, torch.zeros(2, 2), rollout, lambda: torch.zeros(()), goal, space())


def test_a_probe_is_the_same_after_it_is_read_again(tmp_path: Path) -> None:
    images, again = latents(2, 3, 5, 6, 4), read_probe(saved(tmp_path))
    assert again.targets == ("palm", "box") and again.encoder == "made by this"
    assert again(images).shape == (2, 3, 2, 3)
    torch.testing.assert_close(again(images), probe()(images))


def test_a_probe_that_was_fitted_again_is_read_again(tmp_path: Path) -> None:
    path = saved(tmp_path)
    first = read_probe(path)
    assert read_probe(path) is first
    write_probe(Path(path), probe("another"))
    assert read_probe(path).encoder == "another"


def test_the_cost_is_the_mean_distance_in_metres_and_zero_at_the_goal(tmp_path: Path) -> None:
    some, cost = candidates(), ReadoutDistance(weight=1.0, file=saved(tmp_path))
    read, wanted = probe()(some.rollout.latents[:, -1]), probe()(some.goal.latent)
    torch.testing.assert_close(cost.value(some), (read - wanted).norm(dim=-1).mean(dim=-1))
    assert cost.value(some)[2].item() == pytest.approx(0.0, abs=1e-6)
    palm = cost.model_copy(update={"targets": ("palm",)})
    torch.testing.assert_close(palm.value(some), (read - wanted)[:, 0].norm(dim=-1))


def test_the_gradient_reaches_the_latents_and_not_the_probe(tmp_path: Path) -> None:
    some = candidates()
    some.rollout.latents.requires_grad_()
    cost = ReadoutDistance(weight=1.0, file=saved(tmp_path))
    cost.value(some)[0].backward()
    assert some.rollout.latents.grad is not None and some.rollout.latents.grad[0].abs().sum() > 0


def test_a_probe_for_another_tokenizer_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="fit-readout"):
        ReadoutDistance(weight=1.0, file=saved(tmp_path)).value(candidates(encoder="made by that"))
    with pytest.raises(BadConfig, match="3 channels"):
        ReadoutDistance(weight=1.0, file=saved(tmp_path, channels=3)).value(candidates())


def test_an_unknown_target_is_rejected_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="palm, box"):
        ReadoutDistance(weight=1.0, file=saved(tmp_path), targets=("ball",)).value(candidates())


@pytest.mark.parametrize("content", [None, b"", b"no weights", "another network"])
def test_a_file_that_is_no_probe_is_rejected(tmp_path: Path, content: bytes | str | None) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "file.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(BadConfig, match="bench fit-readout"):
        ReadoutDistance(weight=1.0, file=str(path)).value(candidates())
