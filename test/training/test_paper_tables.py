"""The paper's tables from one command, at toy size."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from command import hwm
from toy_store import write_toy_store
from untrained import untrained

from benchmarks import paper_tables as benchmark
from hwm_core.sampling.config import PAPER, Sampling
from hwm_core.world_model.checkpoint import save_checkpoint
from training import main, paper_tables

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


class Commands:
    """In place of `hwm`: notes every command, and writes what the real one would. The first training is stopped."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._stopped = False

    def __call__(self, words: Sequence[str]) -> int:
        self.lines.append(" ".join(words))
        out = Path(words[words.index("--out") + 1])
        out.mkdir(parents=True, exist_ok=True)
        if words[0] == "evaluate":
            interval = {"mean": 0.5, "low": 0.25, "high": 0.75}
            one = {"mean": {"psnr_db": 12.3456, "ssim": 0.5}, "windows": 4, "episodes": 2}
            document = {
                "conditions": dict.fromkeys(("model", "mean_prediction", "copy_last"), one),
                "distances": {},
                "psnr_db": {"8": {"gain_over": {"copy_last": interval}}},
            }
            (out / "evaluation.json").write_text(json.dumps(document))
            return 0
        (out / "state.pt").touch()
        if words[0] == "train" and not self._stopped:
            self._stopped = True
            return 1
        if words[0] == "train":
            family = "masked" if "masked" in out.name else "flow"
            save_checkpoint(out / "checkpoint", replace(untrained(family=family), metadata={"steps": 7}))
        return 0


def test_a_stopped_training_is_resumed_and_what_is_finished_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, out = Commands(), tmp_path / "out"
    monkeypatch.setattr(main, "main", commands)
    monkeypatch.setattr(paper_tables, "PAPER", dict.fromkeys(PAPER, Sampling()))  # fewer steps
    monkeypatch.setattr(paper_tables, "_VARIANTS", ("split",))
    command = ["paper-tables", "--data", "store", "--out", str(out), "--minutes", "3", "--repeats", "1"]
    assert hwm(*command) == 1 and not (out / "tables.md").exists()
    tokenizer, stopped = commands.lines
    assert tokenizer.startswith(f"train-tokenizer --data store --out {out}/tokenizer_masked ")
    assert stopped.startswith(f"train --data store --out {out}/masked_split ")
    for line, section, preset in ((tokenizer, "train_tokenizer", "tiny"), (stopped, "train", "tiny")):
        budget = f"{section}.steps=null {section}.max_minutes=3.0 {section}.clock=processor"
        assert f"--preset {preset} " in line and line.endswith(budget) and "--resume" not in line
    assert "model.variant=split" in stopped and f"--tokenizer {out}/tokenizer_masked/tokenizer" in stopped

    commands.lines.clear()
    assert hwm(*command) == 0
    resumed, evaluated, *of_flow = commands.lines
    assert resumed.startswith(f"train --data store --out {out}/masked_split ") and resumed.endswith(" --resume")
    assert f"evaluate --protocol paper --checkpoint {out}/masked_split/checkpoint --store store " in evaluated
    assert [line.split()[0] for line in of_flow] == ["train-tokenizer", "train", "evaluate"]
    assert all("--preset flow_tiny" in line for line in of_flow[:2]) and "--resume" not in " ".join(of_flow)
    rows = json.loads((out / "tables.json").read_text())["rows"]
    assert [(row["family"], row["steps"], row["psnr_db"]) for row in rows] == [
        ("masked", 7, 12.3456),
        ("flow", 7, 12.3456),
    ]
    assert "| PSNR, dB | 12.35 |" in (out / "tables.md").read_text()

    commands.lines.clear()
    assert hwm(*command) == 0 and commands.lines == []
