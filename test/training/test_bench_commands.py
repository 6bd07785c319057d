"""The benches of the closed loop as commands: small runs that resume, and wrong input."""

import json
from pathlib import Path

import pytest
from command import hwm
from sim_store import write_sim_store
from untrained import save_untrained

from hwm_core import precision
from hwm_core.evaluation.closed_loop import resources
from hwm_core.evaluation.closed_loop.job import EpisodeJob
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.sim.description import joints

SEEDS = {"mujoco": "3", "closed_loop": {}, "development": {"look": [2_400_000, 2_400_002]}}


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    path = tmp_path / "seeds.json"
    path.write_text(json.dumps(SEEDS))
    return path


def test_a_closed_loop_resumes_and_prints_a_line_for_each_row(tmp_path, seeds, capsys, monkeypatch):
    out = tmp_path / "loop.json"
    options = ("bench", "closed-loop", "--tasks", "look", "--seeds", seeds, "--out", out, "--rows")
    assert hwm(*options, "hold", "--episodes", 1, "--films", tmp_path / "films") == 0
    first = json.loads(out.read_text())["rows"]["hold"]["tasks"]["look"]
    assert list(first) == ["2400000"]
    assert [film.name for film in (tmp_path / "films").iterdir()] == ["hold_look_2400000_failure.mp4"]
    asked, run = [], EpisodeJob.__call__
    monkeypatch.setattr(EpisodeJob, "__call__", lambda job: asked.append((job.row, job.seed)) or run(job))
    assert hwm(*options, "hold", "random") == 0
    assert asked == [("random", 2_400_000), ("hold", 2_400_002), ("random", 2_400_002)]
    printed = capsys.readouterr().out
    assert "| look | hold | 0 of 2, 0 % (0-66) |" in printed
    assert "| look | random |" in printed


def test_a_row_of_a_model_is_not_continued_in_another_precision(tmp_path, seeds, capsys, monkeypatch):
    checkpoint, out = save_untrained(tmp_path / "checkpoint", joints=joints().names, limit=3.0), tmp_path / "loop.json"
    record = EpisodeRecord(
        success=True, success_at_closest=True, errors=(1.0, 0.0), decisions=1, futures=1, decision_seconds=(0.1, 0.1)
    )
    monkeypatch.setattr(EpisodeJob, "__call__", lambda job: record)
    options = ("--tasks", "look", "--seeds", seeds, "--out", out, "--checkpoint", checkpoint, "--rows", "model")
    for fast, status in ((True, 0), (False, 2)):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _, fast=fast: fast)
        resources._load.cache_clear()  # as a new process
        assert hwm("bench", "closed-loop", *options) == status
    assert "arithmetic.dtype torch.float32 in place of torch.bfloat16" in capsys.readouterr().err


def test_fitted_baselines_run_in_the_loop(tmp_path, seeds, capsys):
    store, baselines, out = write_sim_store(tmp_path / "store"), tmp_path / "baselines", tmp_path / "loop.json"
    assert hwm("bench", "fit-baselines", "--data", store, "--out", baselines, "--minutes", 0.003) == 0
    rows = ("posture", "nearest", "inverse")
    options = ("--tasks", "look", "--episodes", 1, "--seeds", seeds, "--baselines", baselines, "--out", out)
    assert hwm("bench", "closed-loop", *options, "--rows", *rows) == 0
    assert set(json.loads(out.read_text())["rows"]) == set(rows)
    assert "posture: steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rows", "hodl"), "Did you mean `hold`?"),
        (("--rows", "model"), "Row `model`: expected --checkpoint"),
        (("--rows", "inverse"), "Row `inverse`: expected --baselines"),
        (("--rows", "hold", "--tasks", "push"), "Seeds of task `push`"),
        (("--rows", "hold", "--split", "closed_loop"), "expected at least 1, got 0"),
        (("--rows", "hold", "--episodes", 3), "expected at least 3, got 2"),
    ],
)
def test_rows_without_their_input_and_seeds_that_are_not_listed_are_rejected(tmp_path, seeds, capsys, options, message):
    tasks = () if "--tasks" in options else ("--tasks", "look")
    out = tmp_path / "loop.json"
    assert hwm("bench", "closed-loop", "--seeds", seeds, "--out", out, *tasks, *options) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_too_few_candidates_are_rejected(tmp_path, seeds, capsys):
    options = ("--seeds", seeds, "--out", tmp_path / "ranking.json", "--candidates", 3)
    assert hwm("bench", "ranking", *options) == 2
    assert "--candidates: expected at least 5" in capsys.readouterr().err
