"""The road of a Wan model: train over a pretrained pipeline, resume bit for bit, tokenise, evaluate."""

import json
import shutil

import pytest
import torch
import yaml
from command import hwm
from small_training import write_store
from wan_models import pipeline, saved_pipeline

from hwm_core.world_model.checkpoint import load_checkpoint

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
