"""The training commands on a small synthetic store, from recordings to a checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from command import hwm
from small_training import SMALL, SMALL_FLOW, episode, other_joints, train_model

from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadCheckpoint
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import load_checkpoint, load_tokenizer
from hwm_core.world_model.model import WorldModel
from training import train

# The sizes of preset `st` that come from the data, for the small store and its tokenizer.
OF_ST = [f"model.{key}" for key in ("levels=[5, 5]", "grid=[4, 4]", "action_dim=2", "num_past_latents=2")]


def test_a_run_writes_a_checkpoint_with_robot_camera_tokenizer_and_recipe(store, tokenizer, tmp_path):
    train_model(store, tokenizer, tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoint")
    assert checkpoint.manifest.names == ("neck_yaw", "left_elbow") and checkpoint.manifest.kind == "states"
    assert checkpoint.preprocessing.height == 16
    assert checkpoint.metadata["steps"] == 4 and checkpoint.metadata["recipe"]["train"]["batch_size"] == 2
    for name, value in load_tokenizer(tokenizer).state_dict().items():
        assert torch.equal(checkpoint.tokenizer.state_dict()[name], value)
    assert {"recipe.yaml", "revision.txt", "state.pt", "checkpoint"} < {
        path.name for path in (tmp_path / "run").iterdir()
    }


@pytest.mark.parametrize("command", ["train-tokenizer", "train"])
def test_a_preset_for_256_px_stops_before_the_first_step_on_a_store_of_16_px(
    store, tokenizer, tmp_path, capsys, command
):
    given = ["--tokenizer", tokenizer] if command == "train" else []
    words = ("--preset", "masked", "--data", store, "--out", tmp_path / "run", *given)
    assert hwm(command, *words) == 2
    message = capsys.readouterr().err
    assert "16x16 px" in message and ("256x256 px" in message or command == "train")
    assert not list(tmp_path.rglob("*.pt"))


def test_init_loads_the_weights_of_a_checkpoint_and_rejects_other_sizes(store, tokenizer, tmp_path, capsys):
    def run(name: str, *more: str) -> dict[str, torch.Tensor]:
        train_model(store, tokenizer, tmp_path / name, *more)
        return load_checkpoint(tmp_path / name / "checkpoint").model.state_dict()

    def started_from_first(name: str, *more: str) -> dict[str, torch.Tensor]:
        command = ["--data", str(store), "--tokenizer", str(tokenizer), "--out", str(tmp_path / name)]
        command += ["--init", str(tmp_path / "first" / "checkpoint"), "data.actions=states", *SMALL]
        hwm("train", *command, "train.learning_rate=1.0e-12", "train.ema_decay=0.0", *more)
        return load_checkpoint(tmp_path / name / "checkpoint").model.state_dict()

    first, again = run("first"), started_from_first("second", "train.seed=7", "model.dropout=0.1")
    assert all(torch.equal(again[name], weight) for name, weight in first.items()), (
        "initial weights of seed 7 would differ"
    )

    with pytest.raises(BadCheckpoint):  # no checkpoint was written
        started_from_first("other", "model.dim=32")
    assert "Set the sizes in `model` to the checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "other" / "state.pt").exists()


@pytest.mark.parametrize("preset", ["tiny", "st"])
def test_init_rejects_a_checkpoint_of_other_joints_with_the_joints_of_both(
    store, tokenizer, tmp_path, capsys, preset
) -> None:
    small = (*(OF_ST if preset == "st" else ()), "train.steps=1", "train.accumulation=1", "--preset", preset)
    assert train_model(store, tokenizer, tmp_path / "first", *small) == 0
    init = ("--init", str(other_joints(tmp_path / "first/checkpoint", tmp_path / "other")))
    assert train_model(store, tokenizer, tmp_path / "second", *small, *init) == 2
    message = capsys.readouterr().err
    assert f"{tmp_path / 'other'}: expected the joints neck_yaw, left_elbow, got neck_yaw, right_elbow" in message
    assert "Use a checkpoint of this robot, or leave out --init" in message
    assert not (tmp_path / "second/state.pt").exists()


def test_init_loads_the_weights_of_a_tokenizer_and_rejects_other_sizes_and_kinds(store, tokenizer, tmp_path, capsys):
    still = ("train_tokenizer.learning_rate=1.0e-12", "train_tokenizer.ema_decay=0.0", "train_tokenizer.seed=5")
    command = ("train-tokenizer", "--data", store, "--init", tokenizer)
    assert hwm(*command, "--out", tmp_path / "same", *SMALL, *still) == 0
    first, again = (load_tokenizer(folder).state_dict() for folder in (tokenizer, tmp_path / "same" / "tokenizer"))
    assert all(torch.equal(again[name], weight) for name, weight in first.items()), "initial weights of seed 5 differ"
    assert hwm(*command, "--out", tmp_path / "wider", *SMALL, "tokenizer.width=32") == 2
    assert "Set the sizes in `tokenizer`" in capsys.readouterr().err
    assert hwm(*command, "--preset", "flow_tiny", "--out", tmp_path / "other", *SMALL_FLOW) == 2
    assert "expected a tokenizer of the kind `continuous`, got `causal`" in capsys.readouterr().err


def test_the_flow_preset_trains_tokenizer_and_model_to_a_checkpoint_that_predicts(store, tmp_path):
    base = ["--preset", "flow_tiny", "--data", str(store)]
    assert hwm("train-tokenizer", *base, "--out", str(tmp_path / "tokenizer"), *SMALL_FLOW) == 0
    tokenizer = tmp_path / "tokenizer" / "tokenizer"
    loaded = load_tokenizer(tokenizer)
    frames = torch.from_numpy(open_store(store).training[0].frames[:33]).permute(0, 3, 1, 2)[None] / 255
    assert 0.5 < loaded.encode(frames).std().item() < 2.0, "its latents are normalised"
    out = tmp_path / "run"
    assert hwm("train", *base, "--tokenizer", str(tokenizer), "--out", str(out), *SMALL_FLOW) == 0
    tuned = tmp_path / "tuned"
    assert hwm("tune-decoder", *base, "--checkpoint", str(out / "checkpoint"), "--out", str(tuned), *SMALL_FLOW) == 0
    world = WorldModel.load(tuned / "checkpoint", dtype="float32")
    past = world.observe(np.zeros((9, 16, 16, 3), np.uint8), np.zeros((9, 2), np.float32))
    rollout = world.rollout(past, np.zeros((2, 32, 2), np.float32), sampling=Sampling(steps=4))
    assert world.family == "flow" and world.frames(past, rollout).shape == (2, 32, 16, 16, 3)


def test_channel_weights_by_decoder_sensitivity_are_measured_before_training_and_again_on_resuming(
    store, tmp_path, monkeypatch
):
    base = ["--preset", "flow_tiny", "--data", str(store)]
    assert hwm("train-tokenizer", *base, "--out", str(tmp_path / "tokenizer"), *SMALL_FLOW) == 0
    weights, build = [], train.WorldModelTask

    def watched(model, tokenizer, augmentation):
        weights.append(model.channel_weights.clone())
        return build(model, tokenizer, augmentation)

    monkeypatch.setattr(train, "WorldModelTask", watched)
    base += ["--tokenizer", str(tmp_path / "tokenizer" / "tokenizer")]
    for wanted, *more in (("equal",), ("decoder_sensitivity",), ("decoder_sensitivity", "--resume")):
        run = [*base, "--out", str(tmp_path / wanted), *more, *SMALL_FLOW, f"model.channel_weights={wanted}"]
        assert hwm("train", *run) == 0
    assert torch.equal(weights[0], torch.ones_like(weights[0]))
    assert weights[1].std() > 0.01 and abs(weights[1].mean() - 1) < 1e-5
    assert torch.equal(weights[1], weights[2])
    equal, weighted = (
        load_checkpoint(tmp_path / one / "checkpoint").model.state_dict() for one in ("equal", "decoder_sensitivity")
    )
    assert any(not torch.equal(equal[name], weighted[name]) for name in equal), "the weights change the training"


def test_a_tokenizer_of_the_other_family_is_rejected_before_training(store, tokenizer, tmp_path, capsys):
    base = ["--preset", "flow_tiny", "--data", str(store), "--tokenizer", str(tokenizer)]
    assert hwm("train", *base, "--out", str(tmp_path / "run"), *SMALL_FLOW) == 2
    assert "expected continuous codes" in capsys.readouterr().err


def test_tuning_changes_only_the_decoder(store, tokenizer, tmp_path):
    train_model(store, tokenizer, tmp_path / "run")
    run = ["--data", str(store), "--checkpoint", str(tmp_path / "run" / "checkpoint"), "--out", str(tmp_path / "tuned")]
    assert hwm("tune-decoder", *run, *SMALL, "tune_decoder.learning_rate=0.1", "tune_decoder.warmup_steps=0") == 0
    before, after = (load_checkpoint(tmp_path / name / "checkpoint") for name in ("run", "tuned"))
    assert after.manifest == before.manifest and after.metadata["steps"] == 4 == after.metadata["decoder_steps"]
    for name, value in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[name], value)
    of_decoder = ("from_latents", "decoder", "first_head", "group_head")
    for name, value in before.tokenizer.state_dict().items():
        assert torch.equal(after.tokenizer.state_dict()[name], value) == (not name.startswith(of_decoder)), name


def test_tuning_on_a_store_of_another_preprocessing_is_rejected(store, tokenizer, tmp_path, capsys):
    train_model(store, tokenizer, tmp_path / "run")
    other = Preprocessing(source_aspect=1.0, height=32, width=32)
    for split, seed in (("training", 0), ("validation", 1)):
        small = episode(split, seed)
        write_episode(tmp_path / "other" / split, replace(small, frames=small.frames.repeat(2, 1).repeat(2, 2)), other)
    run = ["--checkpoint", str(tmp_path / "run" / "checkpoint"), "--out", str(tmp_path / "tuned"), *SMALL]
    assert hwm("tune-decoder", "--data", str(tmp_path / "other"), *run) == 2
    assert "expected the checkpoint's preprocessing" in capsys.readouterr().err


def test_a_file_at_the_path_of_a_runs_folder_is_rejected(store, tokenizer, tmp_path, capsys):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert train_model(store, tokenizer, out) == 2
        assert f"--out {out}: expected a folder, got {tmp_path / 'file'}, a file" in capsys.readouterr().err


def test_a_path_where_no_folder_can_be_made_is_rejected(store, capsys):
    assert hwm("train-tokenizer", "--data", store, "--out", "/proc/none/run", *SMALL) == 2
    assert "Path /proc/none: expected a path that can be read and written" in capsys.readouterr().err


def test_a_runs_folder_given_as_tokenizer_is_rejected_with_a_suggestion(store, tokenizer, tmp_path, capsys):
    assert train_model(store, tokenizer.parent, tmp_path / "run") == 2
    assert f"Did you mean {tokenizer}?" in capsys.readouterr().err


def test_actions_that_were_not_recorded_are_rejected(store, tokenizer, tmp_path, capsys):
    assert train_model(store, tokenizer, tmp_path / "run", "data.actions=commands") == 2
    assert "expected states, got `commands`" in capsys.readouterr().err


def test_a_broken_step_is_saved_in_the_run_and_replay_computes_it_again(store, tokenizer, tmp_path, capsys):
    broken = ["train.precision=float32", "train.optimiser=adamw", "data.augmentation.action_noise=1.0e+39"]
    assert train_model(store, tokenizer, tmp_path / "run", *broken) == 2
    assert "gradient of step 0: expected finite numbers" in capsys.readouterr().err
    saved = tmp_path / "run" / "broken_step_0.pt"
    assert train_model(store, tokenizer, tmp_path / "run", "--replay", str(saved)) == 0
    assert "step 0: loss nan, no finite gradient for" in capsys.readouterr().out
