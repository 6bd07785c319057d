"""Resuming runs by the training commands: bit for bit, and only with the data that a run was started with."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command import hwm
from small_training import SMALL, episode, train_model, write_store

from hwm_core.data.episodes.store import write_episode
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.train.state import read_state
from hwm_core.world_model.checkpoint import load_checkpoint


def test_sigterm_saves_the_run_and_the_resumed_run_equals_an_uninterrupted_run(
    store, tokenizer, tmp_path, monkeypatch, capsys
):
    train_model(store, tokenizer, tmp_path / "whole")

    read, served = Windows.__getitem__, []

    def terminate_in_the_third_batch(windows, item):
        served.append(item)
        if len(served) == 2 + 5:  # 2 validation windows, then batches of 2
            os.kill(os.getpid(), signal.SIGTERM)
        return read(windows, item)

    with monkeypatch.context() as patch:
        patch.setattr(Windows, "__getitem__", terminate_in_the_third_batch)
        assert train_model(store, tokenizer, tmp_path / "stopped") == 1
    assert "Stopped after step 3. To continue, add --resume to the command." in capsys.readouterr().out
    assert read_state(tmp_path / "stopped" / "state.pt")["step"] == 3

    assert train_model(store, tokenizer, tmp_path / "stopped", "--resume") == 0
    weights = [(tmp_path / run / "checkpoint" / "model.safetensors").read_bytes() for run in ("whole", "stopped")]
    assert weights[0] == weights[1]


def files_of(run: Path) -> dict[str, bytes]:
    """The result of a run, and the files that a resumed run reads."""
    kept = [run / "recipe.yaml", run / "data.yaml", run / "state.pt", *(run / run.name).iterdir()]
    return {str(path): path.read_bytes() for path in kept}


def test_resuming_a_tokenizers_run_on_another_store_is_rejected_without_changes(store, tmp_path, capsys):
    other, out = write_store(tmp_path / "other", seed=2), tmp_path / "tokenizer"
    assert hwm("train-tokenizer", "--data", str(store), "--out", str(out), *SMALL) == 0
    before = files_of(out)
    assert hwm("train-tokenizer", "--data", str(other), "--out", str(out), "--resume") == 2
    assert "that the run was started with" in capsys.readouterr().err
    assert files_of(out) == before
    longer = ["--data", str(store), "--out", str(out), "--resume", "train_tokenizer.steps=6"]
    assert hwm("train-tokenizer", *longer) == 0 and read_state(out / "state.pt")["step"] == 6


def test_resuming_tuning_on_another_store_or_checkpoint_is_rejected_without_changes(store, tokenizer, tmp_path, capsys):
    for run, more in {"one": (), "two": ("train.seed=1",)}.items():
        train_model(store, tokenizer, tmp_path / run, *more)
    other, out = write_store(tmp_path / "other", seed=2), tmp_path / "checkpoint"

    def tuned(data: Path, run: str, *more: str) -> int:
        return hwm(
            "tune-decoder",
            "--data",
            str(data),
            "--checkpoint",
            str(tmp_path / run / "checkpoint"),
            "--out",
            str(out),
            *more,
        )

    assert tuned(store, "one", *SMALL) == 0
    before = files_of(out)
    for data, run, differs in ((other, "one", "manifests"), (store, "two", "checkpoint")):
        assert tuned(data, run, "--resume") == 2
        assert f"Data of the run in {out}: expected {differs}" in capsys.readouterr().err
        assert files_of(out) == before
    assert tuned(store, "one", "--resume", "tune_decoder.steps=6") == 0 and read_state(out / "state.pt")["step"] == 6


def test_a_rejected_resume_changes_nothing_and_the_next_resume_works(store, tokenizer, tmp_path, capsys):
    out = tmp_path / "checkpoint"
    train_model(store, tokenizer, out)
    before = files_of(out) | {"environment": (out / "environment.json").read_bytes()}
    resumed = ["--data", str(store), "--tokenizer", str(tokenizer), "--out", str(out), "--resume"]
    for change, sentence in {
        "model.variant=base": "with the configuration the run was started with",
        "data.stride=2": "expected windows 8, got windows 4",  # 40 frames hold 8 starts of 33
        "tran.steps=6": "Did you mean",
    }.items():
        assert hwm("train", *resumed, change) == 2
        assert sentence in capsys.readouterr().err
        assert files_of(out) | {"environment": (out / "environment.json").read_bytes()} == before
    assert hwm("train", *resumed, "train.steps=6") == 0 and read_state(out / "state.pt")["step"] == 6


def test_resuming_on_a_store_with_an_additional_episode_is_rejected(store, tokenizer, tmp_path, capsys):
    out, grown = tmp_path / "run", shutil.copytree(store, tmp_path / "grown")
    train_model(store, tokenizer, out)
    write_episode(grown / "training", episode("three", 5), Preprocessing(source_aspect=1.0, height=16, width=16))
    assert hwm("train", "--data", str(grown), "--tokenizer", str(tokenizer), "--out", str(out), "--resume") == 2
    assert f"Data of the run in {out}: expected episodes" in capsys.readouterr().err


def test_resuming_with_an_empty_data_file_is_rejected(store, tokenizer, tmp_path, capsys):
    out = tmp_path / "run"
    train_model(store, tokenizer, out)
    (out / "data.yaml").write_text("")
    assert train_model(store, tokenizer, out, "train.steps=6", "--resume") == 2
    assert "Restore a copy of data.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("junk", [b"", b"x", b"PK" + bytes(30), bytes(200)])
def test_resuming_from_a_damaged_state_is_rejected(store, tokenizer, tmp_path, capsys, junk):
    out = tmp_path / "run"
    train_model(store, tokenizer, out)
    (out / "state.pt").write_bytes(junk)
    assert train_model(store, tokenizer, out, "--resume") == 2
    assert "expected the state of a run, got an unreadable one" in capsys.readouterr().err


def test_a_new_run_in_the_folder_of_a_run_is_rejected(store, tokenizer, tmp_path, capsys):
    train_model(store, tokenizer, tmp_path / "run")
    assert train_model(store, tokenizer, tmp_path / "run") == 2
    assert "Add --resume, or choose another folder" in capsys.readouterr().err


def test_a_resumed_run_finds_its_data_and_tokenizer_by_itself(store, tokenizer, tmp_path):
    train_model(store, tokenizer, tmp_path / "run")
    assert hwm("train", "--out", tmp_path / "run", "--resume", "train.steps=6") == 0
    assert read_state(tmp_path / "run" / "state.pt")["step"] == 6


def test_a_resumed_run_that_was_started_with_a_shipped_name_finds_it_from_any_directory(tmp_path, monkeypatch):
    folder = tmp_path / "recordings"
    assert hwm("sim", "record", "--out", folder, "--train", 1, "--val", 1, "--seconds", 2, "--processes", 1) == 0
    robot = ("--robot", folder / "robot.yaml", "--out", tmp_path / "store")
    assert hwm("prepare", folder / "train", "--validation", folder / "val", *robot) == 0
    budget = ("train.max_minutes=null", "train.steps=1", "train.batch_size=1", "model.dim=16", "model.num_heads=2")
    command = ("train", "--tokenizer", "tiny", "--data", tmp_path / "store", "--out", tmp_path / "run")
    assert hwm(*command, *budget, "data.validation_windows=1") == 0
    monkeypatch.chdir(tmp_path)
    assert hwm("train", "--out", "run", "--resume", "train.steps=2") == 0


def test_a_run_without_data_is_rejected(tmp_path, capsys):
    assert hwm("train", "--out", tmp_path / "run") == 2
    assert "--data: expected a folder, got none" in capsys.readouterr().err


def test_each_command_ends_with_the_next_command_which_works_as_it_is_printed(store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert hwm("train-tokenizer", "--data", store, "--out", "runs/tokenizer", *SMALL) == 0
    for expected in ("train", "tune-decoder", "evaluate"):
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.startswith(f"Next: hwm {expected} ")
        words = shlex.split(last)[2:]
        if expected != "evaluate":
            words += ["data.actions=states", *SMALL]
        assert hwm(*words) == 0


def torchrun(*command: str) -> None:
    """Run a training command as two processes."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    start += ["--no-python", str(Path(sys.executable).with_name("hwm")), *command]
    done = subprocess.run(start, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_one_process_resumes_the_sharded_state_that_two_processes_saved(store, tmp_path):
    out, runs = tmp_path / "run", ["--data", str(store), "data.actions=states", *SMALL]
    torchrun("train-tokenizer", "--out", str(tmp_path / "tokenizer"), *runs)
    tokenizer = tmp_path / "tokenizer" / "tokenizer"
    fsdp = ("train.parallel=fsdp", "train.optimiser=adamw")
    torchrun("train", "--tokenizer", str(tokenizer), "--out", str(out), *runs, *fsdp)
    assert (out / "state-00000004").is_dir() and not (out / "state.pt").exists()
    assert load_checkpoint(out / "checkpoint").metadata["steps"] == 4
    assert train_model(store, tokenizer, out, *fsdp, "train.steps=6", "--resume") == 0
    assert read_state(out / "state.pt")["step"] == 6 and not (out / "state-00000004").exists()
    assert load_checkpoint(out / "checkpoint").metadata["steps"] == 6

    alone = tmp_path / "alone"
    assert train_model(store, tokenizer, alone, *fsdp, "train.steps=4") == 0
    assert train_model(store, tokenizer, alone, *fsdp, "train.steps=6", "--resume") == 0
    for one, two in zip(*(load_checkpoint(run / "checkpoint").model.parameters() for run in (alone, out)), strict=True):
        torch.testing.assert_close(two, one, rtol=0.05, atol=0.01)  # bfloat16, in training and in the checkpoint
