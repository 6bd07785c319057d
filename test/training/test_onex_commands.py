"""The commands of `hwm 1x` on small sets in 1X's formats: from data to a submission."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import hwm
from onex_sets import compression_test_v2, hidden_v2, raw_v2, tokens_v1, tokens_v2
from untrained import untrained

from hwm_core.challenge.submission import ArchiveLayout, validate_archive
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint

PRESETS = pytest.mark.parametrize("preset", ["tiny", "st"])
OF_V1 = {"grid": "[16,16]", "levels": "[512,512]", "temporal_factor": 1, "action_dim": 26}


def trained(sets: Path, preset: str, **model: object) -> Path:
    """Train one step on the tokens of `sets`/train, evaluate on `sets`/val, and return the checkpoint."""
    sizes = {
        "dim": 16,
        "depth": 1,
        "num_heads": 2,
        "patch": 4,
        "num_past_latents": 3,
        "vocabulary": "factorised",
        **model,
    }
    arguments = ["--preset", preset, "--data", str(sets), "--out", str(sets / "run"), "data.actions=states"]
    budget = ["train.steps=1", "train.batch_size=1", "train.accumulation=1", "data.validation_windows=1"]
    assert hwm("train", *arguments, *budget, *(f"model.{key}={value}" for key, value in sizes.items())) == 0
    return sets / "run" / "checkpoint"


@PRESETS
def test_a_v2_set_gives_a_report_and_a_valid_archive(preset: str, tmp_path: Path, capsys) -> None:
    tokens_v2(tmp_path / "train", frames=(51, 40), folders=True)
    # A cut at frame 40 of 51 is inside clip 2, so only clips 0 and 1 are usable.
    tokens_v2(tmp_path / "val", frames=(51,), cut=40)
    test = compression_test_v2(tmp_path / "test", (0,))
    checkpoint = trained(tmp_path, preset, num_future_latents=3)
    common = ["--checkpoint", str(checkpoint), "--batch", "1"]
    archive = tmp_path / "submission.zip"
    assert hwm("1x", "compress", *common, "--data", str(test), "--out", str(archive)) == 0
    assert hwm("1x", "validate", str(archive), "--data", str(test)) == 0
    # Preset `st` keeps the weights as trained, and `compress` computes in float32.
    assert load_checkpoint(checkpoint).weights == ("float32" if preset == "st" else "bfloat16")
    assert "submission.zip: 1 samples, valid" in capsys.readouterr().out
    evaluated = ["--data", str(tmp_path / "val"), "--out", str(tmp_path / "val.zip"), "--top", "50"]
    assert hwm("1x", "compress", *common, *evaluated) == 0
    report = json.loads((tmp_path / "val.json").read_text())
    conditions = {"model", "none", "teacher_forced", "teacher_forced_no_actions"}
    assert report["samples"] == 1 and set(report["conditions"]) == conditions
    assert report["unavailable"]["shuffled"]["remedy"] == "Use two or more samples."
    assert "Top-50 CE" in capsys.readouterr().out
    card = (tmp_path / "val.MODEL_CARD.md").read_text()
    assert "1 samples of 1 takes, seed 0" in card and "Fewer than 5 takes" in card and "shuffled unavailable" in card
    assert "The tokenizer is not available" in card and "kind: cosmos" in card
    compression_test_v2(tmp_path / "other", (0, 1))
    assert hwm("1x", "validate", str(archive), "--data", str(tmp_path / "other")) == 1
    assert "without 1" in capsys.readouterr().err


@PRESETS
def test_a_v1_set_gives_a_report_and_a_valid_archive(preset: str, tmp_path: Path) -> None:
    # Takes of 12 and 8 frames: windows of 4 consecutive frames, none across the cut.
    tokens_v1(tmp_path / "train", frames=20, cut=12)
    tokens_v1(tmp_path / "val", frames=20, cut=12)
    checkpoint = trained(tmp_path, preset, num_future_latents=1, **(OF_V1 if preset == "st" else {}))
    out = tmp_path / "val.zip"
    options = ["--checkpoint", str(checkpoint), "--data", str(tmp_path / "val"), "--out", str(out), "--limit", "2"]
    assert hwm("1x", "compress", *options, "--top", "50", "parallel=false") == 0
    assert json.loads((tmp_path / "val.json").read_text())["tokens"] == 2 * 16 * 16
    assert validate_archive(out, ArchiveLayout(1, 16, 16, 2**18, 50)) == 2


def test_a_raw_set_gives_predictions_and_a_report(tmp_path: Path, capsys) -> None:
    made = untrained("states", EVE_STATES)
    save_checkpoint(tmp_path / "checkpoint", made)
    raw = raw_v2(tmp_path / "raw", frames=90, step=1)
    (tmp_path / "track.yaml").write_text("{side: 32, ensemble: [1, 2], sampling: {temperature: 1.0}}")
    options = ["--checkpoint", str(tmp_path / "checkpoint"), "--data", str(raw), "--out", str(tmp_path / "out")]
    settings = ["--settings", str(tmp_path / "track.yaml"), "sampling.soft=false", "--dtype", "float32"]
    assert hwm("1x", "sample", *options, *settings) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["samples"] == 1 and report["settings"]["track"]["sampling"]["soft"] is False
    assert list((tmp_path / "out/predictions").iterdir()) == [tmp_path / "out/predictions/raw_0_0.png"]
    assert "mean of 2 samples + blur" in capsys.readouterr().out
    assert hwm("1x", "sample", *options, *settings) == 2
    assert "one that exists" in capsys.readouterr().err


def test_a_hidden_set_gives_an_archive_and_no_run_continues_with_other_videos(tmp_path: Path, capsys) -> None:
    save_checkpoint(tmp_path / "checkpoint", replace(untrained("states", EVE_STATES), weights="float32"))
    hidden, short = hidden_v2(tmp_path / "test", (3, 12)), hidden_v2(tmp_path / "short", (12,), frames=16)
    whole = (hidden / "video_12.mp4").read_bytes()
    shutil.copy(short / "video_12.mp4", hidden)
    (tmp_path / "track.yaml").write_text("{side: 32, ensemble: [1, 2], sampling: {temperature: 1.0, soft: false}}")
    words = ["--checkpoint", tmp_path / "checkpoint", "--data", hidden, "--settings", tmp_path / "track.yaml"]
    command = ["1x", "sample", *words, "--out", tmp_path / "out"]
    assert hwm(*command) == 2 and "17" in capsys.readouterr().err
    assert (tmp_path / "out.unfinished").exists() and not (tmp_path / "out").exists()
    (hidden / "video_12.mp4").write_bytes(whole)
    assert hwm(*command) == 2 and "the data it was started with" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out.unfinished")
    assert hwm(*command) == 0 and "2 predictions of hidden samples" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out/predictions.zip") as archive:
        assert archive.namelist() == ["12.png", "3.png"]
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["samples"] == 2 and report["settings"]["arithmetic"]["dtype"] == "torch.float32", "as its weights"
    shutil.copy(hidden / "video_3.mp4", hidden / "video_03.mp4")
    assert hwm(*command) == 2
    message = capsys.readouterr().err
    assert str(hidden / "video_03.mp4") in message and str(hidden / "video_3.mp4") in message


@pytest.mark.parametrize("arguments", [["compress"], ["sample"]])
def test_an_unknown_setting_is_rejected(tmp_path: Path, capsys, arguments) -> None:
    save_checkpoint(tmp_path / "checkpoint", untrained("states", EVE_STATES))
    options = ["--checkpoint", str(tmp_path / "checkpoint"), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert hwm("1x", *arguments, *options, "stepz=2") == 2
    assert "stepz" in capsys.readouterr().err


def test_values_that_are_not_log_probabilities_fail_the_validation(tmp_path: Path, capsys) -> None:
    codes = np.broadcast_to(np.arange(500, dtype=np.int32), (1, 2, 2, 500))
    np.savez(tmp_path / "0.npz", indices=codes, values=np.zeros((1, 2, 2, 500), np.float32))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "0.npz", "0.npz")
    assert hwm("1x", "validate", str(tmp_path / "a.zip"), "--shape", "1", "2", "2") == 1
    assert "log_softmax" in capsys.readouterr().err
