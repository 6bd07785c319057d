"""The paper's tables from one command, at toy size."""

import json
from pathlib import Path

import pytest
from command import hwm
from toy_store import write_toy_store

from benchmarks import paper_tables as benchmark
from training import paper_tables

TOY = [f"tokenizer.{one}" for one in ("width=16", "encoder_blocks=1", "decoder_blocks=1")]
TOY += ["train_tokenizer.steps=1", "train_tokenizer.batch_size=2", "train.steps=1", "train.batch_size=2"]
TOY += ["model.dim=24", "model.depth=1", "model.num_heads=2", "data.validation_windows=2"]


@pytest.mark.slow
def test_both_tables_are_written_end_to_end_and_a_finished_model_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(paper_tables, "_VARIANTS", ("split",))
    store, out = write_toy_store(tmp_path / "store", held_out=2), tmp_path / "out"
    command = ["paper-tables", "--data", str(store), "--out", str(out), "--max-windows", "2", "--repeats", "1"]
    assert hwm(*command, "--set", *TOY) == 0
    masked, flow = json.loads((out / "tables.json").read_text())["rows"]
    assert (masked["family"], flow["family"], masked["windows"], masked["steps"]) == ("masked", "flow", 2, 1)
    # A model with random weights predicts worse than the mean of its distribution, and FID needs a network.
    assert masked["psnr_db"] != masked["psnr_db_mean_prediction"] and masked["fid"] is None
    assert masked["samples_per_s"] > 0 and masked["memory_gb"] > 4e-9 * masked["parameters"] / 2
    text = (out / "tables.md").read_text()
    assert "| masked | split |" in text and "| FID | unavailable |" in text

    result = tmp_path / "paper_tables.json"
    assert benchmark.main([str(out), "--out", str(result)]) == 0
    assert "2 windows of 2 held-out episodes" in (page := benchmark.report(result)) and "| SSIM |" in page

    (out / "tables.md").unlink()
    capsys.readouterr()
    assert hwm(*command, "--set", *TOY) == 0
    assert (out / "tables.md").read_text() == text and "step 1" not in capsys.readouterr().out
