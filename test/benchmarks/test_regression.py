import json

import pytest
import torch
from toy_store import ROBOT, write_toy_store

from benchmarks.regression import comparison as regression
from benchmarks.regression.unet import RegressionUNet

PAST, FUTURE, JOINTS = 3, 8, 4


@pytest.fixture
def unet() -> RegressionUNet:
    torch.manual_seed(0)
    return RegressionUNet(past=PAST, future=FUTURE, joints=JOINTS)


def window() -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    seen = torch.rand(2, PAST, 3, 16, 16, generator=draws)
    return seen, torch.randn(2, PAST + FUTURE, JOINTS, generator=draws)


def learn(unet: RegressionUNet) -> None:
    """Weights that are no longer those of the start, where every picture is the newest one."""
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)


def test_before_it_has_learnt_anything_it_copies_the_newest_frame(unet) -> None:
    seen, actions = window()
    frame = unet(seen, actions, torch.ones(2), torch.tensor([1, FUTURE]))
    torch.testing.assert_close(frame, seen[:, -1])


def test_where_it_is_told_no_motion_the_actions_change_nothing(unet) -> None:
    seen, actions = window()
    told, ahead = torch.tensor([1.0, 0.0]), torch.tensor([5, 5])
    learn(unet)
    one, other = (unet(seen, played, told, ahead) for played in (actions, 2 * actions))
    changed = (one - other).abs().amax((1, 2, 3))
    assert changed[0] > 0 and changed[1] == 0


def test_motion_after_the_frame_that_is_painted_changes_nothing(unet) -> None:
    seen, actions = window()
    later = actions.clone()
    later[:, PAST - 1 + 5 + 1 :] += 1
    told, ahead = torch.ones(2), torch.tensor([5, 6])
    learn(unet)
    one, other = (unet(seen, played, told, ahead) for played in (actions, later))
    changed = (one - other).abs().amax((1, 2, 3))
    assert changed[0] == 0 and changed[1] > 0


def test_a_regression_is_trained_and_judged_beside_the_copied_frame(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(regression, "PAST", 5)
    monkeypatch.setattr(regression, "FUTURE", 8)
    store = write_toy_store(tmp_path / "store", held_out=2)
    command = ["--data", str(store), "--out", str(tmp_path / "run"), "--results", str(tmp_path), "--horizons", "3", "8"]
    assert regression.main([*command, "--actions", "commands", "--minutes", "0.001"]) == 0
    result = json.loads((tmp_path / f"{ROBOT}_commands.json").read_text())
    assert result["n"] == {"episodes": 2, "windows": 12} and result["steps"] >= 1
    assert {row: len(values) for row, values in result["psnr_db"].items()} == dict.fromkeys(regression.ROWS, 2)
    for ahead, at in enumerate(result["gain_over"]["copy_last"]):
        psnr = {row: values[ahead] for row, values in result["psnr_db"].items()}
        assert at["mean"] == pytest.approx(psnr["regression"] - psnr["copy_last"], abs=1e-3)
    assert "| regression above copy last frame |" in capsys.readouterr().out

    with pytest.raises(SystemExit, match="2"):
        regression.main([*command, "--actions", "states"])
    assert "expected commands" in capsys.readouterr().err
    for wrong in (["--minutes", "0"], ["--stride", "0"], ["--horizons", "99"]):
        with pytest.raises(SystemExit, match="2"):
            regression.main([*command, "--actions", "commands", *wrong])
        assert wrong[0] in capsys.readouterr().err
