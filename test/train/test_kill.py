"""SIGKILL at any time during training: all files stay readable, and the run resumes to the same result."""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from made_checkpoint import made
from small_training import SMALL, episode, train_and_note

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.io.atomic import readable_folder, replaced_folder
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.ranks import Ranks
from hwm_core.train.state import newest_state, read_shards, read_state, save_state
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint, save_tokenizer

DISK_ACCESS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod")  # audit events


def killed(work, at: int) -> bool:
    """Call `work` in a process that is killed before its disk access number `at`; returns whether it was killed."""
    child = os.fork()
    if child == 0:
        left = [at]

        def hook(event, _):
            if event in DISK_ACCESS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_process_killed_at_any_disk_access_leaves_the_old_or_the_new_folder_complete(tmp_path):
    path = tmp_path / "it"

    def write(number):
        with replaced_folder(path) as partial:
            for name in ("weights", "header"):
                (partial / name).write_text(str(number))

    write(0)
    current = 0
    for number in count(1):
        was_killed = killed(lambda number=number: write(number), at=number - 1)
        found = {int((readable_folder(path) / name).read_text()) for name in ("weights", "header")}
        assert found in ({current}, {number})
        (current,) = found
        if not was_killed:
            break
    assert number > 8 and current == number
    assert [entry.name for entry in tmp_path.iterdir()] == ["it"]  # partial folders of killed processes are removed


def test_between_the_two_renames_the_old_checkpoint_is_readable_and_the_next_save_repairs_the_folder(tmp_path):
    save_checkpoint(tmp_path / "it", replace(made(), name="old"))
    (tmp_path / "it").rename(tmp_path / ".it.previous")
    assert load_checkpoint(tmp_path / "it").name == "old"
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "it", replace(made(), metadata=None))
    assert (tmp_path / "it").exists() and load_checkpoint(tmp_path / "it").name == "old"


def save_sharded(folder: Path, step: int) -> None:
    """Save a sharded state of one process, whose weights equal the step."""
    weights = {name: torch.full((4,), float(step)) for name in ("one", "two")}
    save_state(folder, {"step": step, "module": weights}, sharded=True, ranks=Ranks())


def newest_step(folder: Path) -> int:
    """The step of the state that a resumed run would load."""
    newest = newest_state(folder)
    assert newest is not None
    state = read_shards(newest, {"step": -1, "module": {"one": torch.zeros(4), "two": torch.zeros(4)}})
    assert all((weights == state["step"]).all() for weights in state["module"].values())
    return state["step"]


@pytest.mark.parametrize("later", [8, 4], ids=["a later step", "the same step"])
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_sharded_state_killed_at_any_disk_access_is_the_old_or_the_new_state_complete(tmp_path, later):
    for at in count():
        folder = tmp_path / str(at)
        save_sharded(folder, 4)
        was_killed = killed(lambda folder=folder: save_sharded(folder, later), at)
        assert newest_step(folder) in (4, later)
        save_sharded(folder, 12)  # removes partial folders of the killed process
        assert [entry.name for entry in folder.iterdir()] == ["state-00000012"]
        if not was_killed:
            break
    assert at > 5 or later == 4  # a complete state of the same step is not written again


@pytest.mark.parametrize(("wanted", "steps"), [(2, 12), pytest.param(15, 60, marks=pytest.mark.slow)])
def test_a_killed_run_loses_only_the_steps_since_its_last_save_and_ends_like_an_uninterrupted_run(
    tmp_path, wanted, steps
):
    store = tmp_path / "store"
    for seed, split in enumerate(("training", "validation")):
        write_episode(store / split, episode(split, seed), Preprocessing(source_aspect=1.0, height=16, width=16))
    one = episode("one", 0)
    manifest_path(store, "states").write_text(
        fit_manifest("robot", "states", one.names, ("rad", "rad"), one.states).model_dump_json()
    )
    torch.manual_seed(0)
    config = {"kind": "causal", "spatial_factor": 4, "levels": [5, 5], "width": 16}
    save_tokenizer(tmp_path / "codes", build_tokenizer({**config, "encoder_blocks": 1, "decoder_blocks": 1}))
    base = ["--data", str(store), "--tokenizer", str(tmp_path / "codes"), "data.actions=states", *SMALL]
    base += [f"train.steps={steps}", "train.save_every_minutes=1e-9"]  # after every step
    context = get_context("forkserver")  # real processes, which share the imports
    context.set_forkserver_preload(["training.train", "torch._dynamo"])

    def start(name, *more):
        arguments = [*base, "--out", str(tmp_path / name), *more]
        process = context.Process(target=train_and_note, args=(arguments, tmp_path / f"{name}.txt"))
        process.start()
        return process

    def noted(name):
        file = tmp_path / f"{name}.txt"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    whole = start("whole")
    rng, kills = random.Random(0), 0
    process = start("killed")
    while kills < wanted:
        before = len(noted("killed"))
        while len(noted("killed")) == before and process.is_alive():
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.06))  # a step and its save take about as long
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
        state = read_state(tmp_path / "killed" / "state.pt")
        assert max(noted("killed")) <= state["step"] <= max(noted("killed")) + 1
        assert load_checkpoint(tmp_path / "killed" / "checkpoint").metadata["steps"] in (
            state["step"],
            state["step"] - 1,
        )
        process = start("killed", "--resume")
    assert kills > 0
    for one in (process, whole):
        one.join(300)
        assert one.exitcode == 0
    results = [(tmp_path / name / "checkpoint" / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert results[0] == results[1]
