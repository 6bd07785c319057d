"""The command lines of evaluation and replay, from arguments to files and messages."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from test_replay import record
from untrained import JOINTS, save_untrained

from hwm_core.data.preprocessing import Preprocessing
from hwm_core.data.store import write_episode
from hwm_core.types import Episode
from training import evaluate, replay


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "checkpoint")


def run(main, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    main()


def write_store(folder: Path, preprocessing: Preprocessing) -> Path:
    random = np.random.default_rng(0)
    for split, count in (("training", 1), ("validation", 2)):
        for number in range(count):
            episode = Episode(
                name=f"{split}_{number}",
                frames=random.integers(0, 256, (44, preprocessing.height, preprocessing.width, 3), dtype=np.uint8),
                stamps_ns=np.arange(44, dtype=np.int64) * 33_333_333,
                segments=np.zeros(44, np.int32),
                names=JOINTS,
                states=None,
                commands=random.normal(size=(44, 3)).astype(np.float32),
            )
            write_episode(folder / split, episode, preprocessing)
    return folder


def test_replay_takes_its_settings_from_a_file(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    (tmp_path / "replay.yaml").write_text("horizons: [3, 8]\nexamples: 1\n")
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--out", out, "--config", tmp_path / "replay.yaml")
    run(replay.main, monkeypatch, record(tmp_path / "run", frames=45), *options)
    assert list(json.loads((out / "metrics.json").read_text())["psnr_db"]) == ["3", "8"]
    assert "| model |" in capsys.readouterr().out


def test_a_bag_that_is_none_is_told_in_one_sentence(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(replay.main, monkeypatch, tmp_path / "nothing", "--checkpoint", checkpoint)
    assert exit_.value.code == 2
    assert "nothing" in capsys.readouterr().err


def test_evaluate_judges_the_validation_episodes_of_a_store(tmp_path: Path, checkpoint: Path, monkeypatch) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=16, width=16))
    out = tmp_path / "out"
    run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", out)
    assert {path.name for path in out.iterdir()} == {"evaluation.json", "table.md", "contact_sheet.png"}
    judged = json.loads((out / "evaluation.json").read_text())
    assert judged["episodes"] == ["validation_0", "validation_1"]
    # 44 frames hold windows of 33 at the starts 0, 5 and 10
    assert judged["psnr_db"]["16"]["windows"] == 6


def test_a_store_prepared_for_another_camera_is_refused(tmp_path: Path, checkpoint: Path, monkeypatch, capsys) -> None:
    store = write_store(tmp_path / "store", Preprocessing(source_aspect=1.0, height=24, width=24))
    with pytest.raises(SystemExit):
        run(evaluate.main, monkeypatch, "--checkpoint", checkpoint, "--store", store, "--out", tmp_path / "out")
    assert "preprocessing" in capsys.readouterr().err
