"""The road of a Wan model: train over a pretrained pipeline, resume bit for bit, tokenise, evaluate."""

import json
import shutil

import psutil
import pytest
import torch
import yaml
from command import hwm
from small_training import other_joints, write_store
from wan_models import model, pipeline, saved_pipeline

from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.models.wan_memory import training_bytes, weight_bytes
from hwm_core.train.ranks import Ranks
from hwm_core.train.recipe import read_recipe
from hwm_core.world_model.checkpoint import load_checkpoint
from training.pretrained_base import Base

SMALL = (
    "model.plain_states=[1]",
    "model.lora_rank=2",
    "model.state_dim=8",
    "model.text_length=8",
    "model.base_dtype=float32",
    "data.validation_windows=2",
    "train.batch_size=2",
    "train.accumulation=1",
    "train.precision=float32",
    "train.evaluate_every=4",
)


def train(store, out, *overrides: str, options=("--tokenizer", "vae"), base=None, steps: int = 4) -> int:
    folder = saved_pipeline()
    words = ["--preset", "wan", "--data", store, "--out", out, "--base", base or folder]
    words += [folder / "vae" if word == "vae" else word for word in options]
    return hwm("train", *words, *SMALL, f"train.steps={steps}", *overrides)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("wan") / "store")


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(store, out) == 0
    return out


def test_a_run_trains_and_keeps_the_prompt_and_a_small_state(trained) -> None:
    checkpoint = load_checkpoint(trained / "checkpoint")
    assert checkpoint.model.prompt.any() and checkpoint.family == "wan"
    assert checkpoint.model.state_encoder.modulation.weight.any(), "it was trained, from zero"
    state = torch.load(trained / "state.pt", weights_only=True)
    assert all(name.startswith(("prompt", "state_encoder")) or ".lora_" in name for name in state["module"])
    recipe = yaml.safe_load((trained / "recipe.yaml").read_text())
    assert recipe["model"]["dim"] == 24 and recipe["model"]["prompt_tokens"] == 1
    assert set(recipe["model"]["base_sha256"]) == {"config.json", "diffusion_pytorch_model.safetensors"}


def test_a_resumed_run_continues_bit_for_bit(trained, store, tmp_path) -> None:
    out = tmp_path / "run"
    assert train(store, out, steps=2) == 0
    assert hwm("train", "--resume", "--out", out, "train.steps=4") == 0
    whole, parts = (load_checkpoint(one / "checkpoint").model.state_dict() for one in (trained, out))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_training_on_tokens_needs_no_tokenizer_in_the_steps_and_evaluation_takes_the_checkpoint(
    trained, store, tmp_path
) -> None:
    vae = saved_pipeline() / "vae"
    codes = ["--latents", "6", "--stride", "4", "--precision", "float32"]
    assert hwm("tokenize", store, "--tokenizer", vae, "--out", tmp_path / "codes", *codes) == 0
    assert train(tmp_path / "codes", tmp_path / "run", steps=1) == 0
    out = tmp_path / "evaluation"
    words = ["--checkpoint", trained / "checkpoint", "--store", store, "--out", out, "--no-ssim", "--horizons", 8, 16]
    assert hwm("evaluate", *words, "--max-windows", 3, "--samples", 2, "--stochastic-sampling", "steps=2") == 0
    report = json.loads((out / "evaluation.json").read_text())
    assert "shuffled" in json.dumps(report)


def test_a_missing_or_contradicting_base_is_an_error_with_its_remedy(store, tmp_path, capsys) -> None:
    vae = str(saved_pipeline() / "vae")
    out = tmp_path / "run"
    assert hwm("train", "--preset", "wan", "--data", store, "--out", out, "--tokenizer", vae) == 2
    assert "--base: expected the folder of Wan2.2-TI2V-5B" in capsys.readouterr().err
    assert train(store, out, "model.depth=5") == 2
    assert "expected 2, the value of the pretrained network, got 5" in capsys.readouterr().err
    bare = shutil.copytree(saved_pipeline(), tmp_path / "bare")
    shutil.rmtree(bare / "text_encoder")
    assert train(store, out, base=bare) == 2
    assert "text_encoder and tokenizer of the pipeline" in capsys.readouterr().err
    (bare / "transformer/diffusion_pytorch_model.safetensors").unlink()
    assert train(store, out, base=bare) == 2
    assert "weights: *.safetensors" in capsys.readouterr().err
    assert hwm("train-tokenizer", "--preset", "wan", "--data", store, "--out", out) == 2
    assert "sections `tokenizer` and `train_tokenizer`" in capsys.readouterr().err
    assert hwm("train", "--preset", "tiny", "--data", store, "--out", out, "--base", bare) == 2
    assert "has no pretrained network" in capsys.readouterr().err


def test_too_little_memory_for_the_weights_or_for_a_step_is_an_error_before_the_first_step(
    store, tmp_path, capsys, monkeypatch
) -> None:
    def train_with(free: int, *overrides: str) -> str:
        memory = psutil.virtual_memory()._replace(available=free)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
        assert train(store, tmp_path / "run", *overrides, steps=1) == 2
        assert not list(tmp_path.rglob("state*")) and not list(tmp_path.rglob("checkpoint"))
        return capsys.readouterr().err

    message = train_with(1000)
    assert "memory of cpu: expected" in message and "GB free for the weights in" in message
    assert "got 1e-06 GB" in message and "base_dtype=bfloat16" in message
    # The model has 0.1 MB of weights here, and 64 windows take 1 MB.
    message = train_with(5 * 10**5, "train.batch_size=64")
    assert "GB free for a micro-batch of 64 windows, got 0.0005 GB" in message and "train.accumulation" in message


def test_a_checkpoint_whose_base_does_not_fit_the_memory_is_rejected(trained, monkeypatch) -> None:
    memory = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(BadCheckpoint, match=r"memory of cpu: expected .* GB free for the weights in"):
        load_checkpoint(trained / "checkpoint")


def test_a_gpu_needs_memory_for_a_step_and_for_its_own_shard_of_the_weights(monkeypatch) -> None:
    net = model()
    step = training_bytes(net.config, 2, recomputed=True) - weight_bytes(net.config)
    of_two, of_one = (int(1.1 * (step + weight_bytes(net.config) // shards)) + 1 for shards in (2, 1))

    def prepare(free: int, parallel: str) -> None:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**12))
        recipe = read_recipe("wan", ["train.batch_size=4", "train.accumulation=1", f"train.parallel={parallel}"])
        Base(saved_pipeline(), recipe, None).prepare(net, recipe, Ranks(torch.device("cuda"), 0, 2))

    prepare(of_two, "fsdp")
    prepare(of_one, "ddp")
    for free, parallel in ((of_two - 2, "fsdp"), (of_one - 2, "ddp")):
        with pytest.raises(BadConfig, match=r"memory of cuda: expected .* free for a micro-batch of 2 windows"):
            prepare(free, parallel)


def test_initial_weights_of_another_rank_or_base_are_rejected_with_both(trained, store, tmp_path, capsys) -> None:
    init = ("--tokenizer", "vae", "--init", trained / "checkpoint")
    assert train(store, tmp_path / "run", "model.lora_rank=3", options=init) == 2
    message = capsys.readouterr().err
    assert "lora_A" in message and "(3, 24), got (2, 24)" in message
    assert hwm("train", "--resume", "--out", shutil.copytree(trained, tmp_path / "copy"), "model.lora_rank=3") == 2
    assert "size mismatch for transformer.blocks.0" in capsys.readouterr().err
    assert train(store, tmp_path / "run", options=init, base=pipeline(tmp_path / "other", seed=1)) == 2
    message = capsys.readouterr().err
    assert "safetensors: expected weights that adapt the base of this run, sha256" in message and "--base" in message
    assert train(store, tmp_path / "run", options=init, steps=1) == 0
    assert load_checkpoint(tmp_path / "run/checkpoint").model.prompt.any()


def test_initial_weights_of_another_robot_are_rejected_with_the_joints_of_both(
    trained, store, tmp_path, capsys
) -> None:
    init = ("--tokenizer", "vae", "--init", other_joints(trained / "checkpoint", tmp_path / "other"))
    assert train(store, tmp_path / "run", options=init) == 2
    message = capsys.readouterr().err
    assert "expected the joints neck_yaw, left_elbow, got neck_yaw, right_elbow" in message
    assert "Use a checkpoint of this robot, or leave out --init" in message
    assert not (tmp_path / "run/state.pt").exists()
