"""The scripts in examples/ run as they are written."""

import runpy
import sys
from pathlib import Path

import av
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def test_predict_video_saves_a_second_of_film(tmp_path, monkeypatch, capsys):
    run("predict_video", monkeypatch, "--out", tmp_path / "prediction.mp4")
    with av.open(str(tmp_path / "prediction.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 24
    assert "24 predicted frames" in capsys.readouterr().out


def test_score_actions_ranks_the_recorded_actions_first(monkeypatch, capsys):
    run("score_actions", monkeypatch)
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(" 1. candidate 0") and first.endswith("the recorded actions") and len(others) == 8


def test_own_planner_finds_a_plan_with_random_shooting(monkeypatch, capsys):
    run("own_planner", monkeypatch, "--candidates", 4)
    assert capsys.readouterr().out.startswith("The best of 4 ramps costs")


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"predict_video", "score_actions", "own_planner"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_explains_itself_with_its_command(path):
    assert f"    python examples/{path.name}" in path.read_text(encoding="utf-8")
