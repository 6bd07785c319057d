"""Fitting the probe of the read-out cost on simulated episodes."""

from pathlib import Path

import pytest
import torch
from command import hwm

from hwm_core.evaluation import readout
from hwm_core.planning.costs.readout_probe import read_probe
from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


@pytest.fixture(scope="module")
def tiny() -> WorldModel:
    return WorldModel.load("tiny")


@pytest.fixture(autouse=True)
def short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readout, "_SECONDS", 0.7)


def test_latents_of_moving_and_still_images_are_paired_with_what_they_show(tiny: WorldModel) -> None:
    located = readout.locate(tiny, 0)
    factor = tiny.model.config.temporal_factor
    count = (round(0.7 * CONTROL_HZ) - 1) // factor
    assert located.latents.shape[0] == located.positions.shape[0] == 2 * count
    assert located.positions.shape[1:] == (5, 3)
    torch.testing.assert_close(located.positions[:count], located.positions[count:])
    with SimHumanoid(0) as robot:
        commands = readout.MOTIONS["random"](robot, 0)
        for _ in range(factor):
            robot.command(commands.next_command())
            robot.advance()
        image = tiny.preprocessing.apply(robot.render())
        torch.testing.assert_close(located.positions[0, 1], torch.tensor(robot.palm("right"), dtype=torch.float32))
    torch.testing.assert_close(located.latents[count], WorldModelDynamics(tiny).goal(image).latent)


def test_the_command_writes_a_probe_for_the_models_tokenizer(tiny: WorldModel, tmp_path: Path, capsys) -> None:
    out = tmp_path / "probe.safetensors"
    assert hwm("bench", "fit-readout", "--checkpoint", "tiny", "--out", out, "--episodes", 2, "--steps", 5) == 0
    probe = read_probe(out)
    assert probe.targets == readout.TARGETS and probe.encoder == WorldModelDynamics(tiny).encoder
    assert "right_palm" in capsys.readouterr().out


def test_one_episode_is_too_few(tmp_path: Path, capsys) -> None:
    assert hwm("bench", "fit-readout", "--checkpoint", "tiny", "--out", tmp_path / "p", "--episodes", 1) == 2
    assert "--episodes: expected at least 2" in capsys.readouterr().err
