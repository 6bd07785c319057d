"""The regression baseline, at toy size."""

import json

import pytest
import torch
from toy_store import ROBOT, write_toy_store

from benchmarks.regression import comparison
from benchmarks.regression.unet import RegressionUNet

PAST, FUTURE, JOINTS = 3, 8, 4


@pytest.fixture
def unet() -> RegressionUNet:
    torch.manual_seed(0)
    return RegressionUNet(past=PAST, future=FUTURE, joints=JOINTS)


def window() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    past = torch.rand(2, PAST, 3, 16, 16, generator=generator)
    return past, torch.randn(2, PAST + FUTURE, JOINTS, generator=generator)


def randomise(unet: RegressionUNet) -> None:
    """Replace the initial weights, which make every prediction the newest frame."""
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)


def test_an_untrained_unet_repeats_the_newest_frame(unet) -> None:
    past, actions = window()
    frame = unet(past, actions, torch.ones(2), torch.tensor([1, FUTURE]))
    torch.testing.assert_close(frame, past[:, -1])


def test_dropped_actions_do_not_change_the_prediction(unet) -> None:
    past, actions = window()
    with_actions, horizon = torch.tensor([1.0, 0.0]), torch.tensor([5, 5])
    randomise(unet)
    one, other = (unet(past, played, with_actions, horizon) for played in (actions, 2 * actions))
    changed = (one - other).abs().amax((1, 2, 3))
    assert changed[0] > 0 and changed[1] == 0


def test_actions_after_the_predicted_frame_do_not_change_the_prediction(unet) -> None:
    past, actions = window()
    changed_later = actions.clone()
    changed_later[:, PAST - 1 + 5 + 1 :] += 1
    horizon = torch.tensor([5, 6])
    randomise(unet)
    one, other = (unet(past, played, torch.ones(2), horizon) for played in (actions, changed_later))
    changed = (one - other).abs().amax((1, 2, 3))
    assert changed[0] == 0 and changed[1] > 0


def test_the_command_trains_and_evaluates_a_regression(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(comparison, "PAST", 5)
    monkeypatch.setattr(comparison, "FUTURE", 8)
    store = write_toy_store(tmp_path / "store", held_out=2)
    command = ["--data", str(store), "--out", str(tmp_path / "run"), "--results", str(tmp_path), "--horizons", "3", "8"]
    assert comparison.main([*command, "--actions", "commands", "--minutes", "0.001"]) == 0
    result = json.loads((tmp_path / f"{ROBOT}_commands.json").read_text())
    assert result["n"] == {"episodes": 2, "windows": 12} and result["steps"] >= 1
    assert {condition: len(values) for condition, values in result["psnr_db"].items()} == dict.fromkeys(
        comparison.CONDITIONS, 2
    )
    for horizon, at in enumerate(result["gain_over"]["copy_last"]):
        psnr = {condition: values[horizon] for condition, values in result["psnr_db"].items()}
        assert at["mean"] == pytest.approx(psnr["regression"] - psnr["copy_last"], abs=1e-3)
    assert "| regression above copy last frame |" in capsys.readouterr().out

    with pytest.raises(SystemExit, match="2"):
        comparison.main([*command, "--actions", "states"])
    assert "expected commands" in capsys.readouterr().err
    for wrong in (["--minutes", "0"], ["--stride", "0"], ["--horizons", "99"]):
        with pytest.raises(SystemExit, match="2"):
            comparison.main([*command, "--actions", "commands", *wrong])
        assert wrong[0] in capsys.readouterr().err
