"""`hwm explain`: the cost around the motion to the goal, by the model or by the simulator."""

import cv2
import pytest
from command import hwm
from untrained import untrained

from hwm_core.sim.description import joints
from hwm_core.world_model.model import WorldModel


@pytest.fixture(autouse=True)
def small_model(monkeypatch):
    model = WorldModel(untrained(joints=joints().names, limit=3.0))
    monkeypatch.setattr(WorldModel, "load", lambda *arguments, **keywords: model)


@pytest.mark.parametrize("simulator", [(), ("--simulator",)])
def test_it_draws_the_costs_and_prints_where_each_is_lowest(tmp_path, capsys, simulator):
    out = tmp_path / "explain.png"
    assert hwm("explain", "--task", "look", "--seed", 2_400_000, "--out", out, *simulator) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cost of the motion to the goal")
    assert [line.split()[0] for line in lines[1:7]] == ["neck_yaw", "neck_pitch", *4 * ["direction"]]
    assert cv2.imread(str(out)).shape[1] > 1000


def test_a_seed_without_a_task_is_rejected(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("hwm_core.sim.tasks.look._RANGE", ((0.0, 0.0), (0.0, 0.0)))
    assert hwm("explain", "--task", "look", "--seed", 2_400_000, "--out", tmp_path / "explain.png") == 2
    assert "Task `look` of seed 2400000" in capsys.readouterr().err
    assert not (tmp_path / "explain.png").exists()
