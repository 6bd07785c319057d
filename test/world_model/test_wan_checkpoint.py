"""Checkpoints of Wan models: only what was trained, over a pretrained base that is identified by its sha256."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from untrained import JOINTS, save_untrained
from wan_models import pipeline, saved_pipeline

from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.models.wan_base import open_model, prompt_embedding, settings_of
from hwm_core.models.wan_config import WanConfig
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint
from hwm_core.world_model.model import WorldModel


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_untrained(tmp_path_factory.mktemp("wan") / "checkpoint", family="wan")


def copied(saved, folder, **header):
    """The checkpoint with other values in its header."""
    shutil.copytree(saved, folder, symlinks=True)
    path = folder / "checkpoint.yaml"
    known = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**known, "model": {**known["model"], **header}}))
    return folder


def test_a_checkpoint_has_the_trained_weights_the_prompt_and_the_sha256_of_the_rest(saved) -> None:
    header = yaml.safe_load((saved / "checkpoint.yaml").read_text())
    files = {"config.json", "diffusion_pytorch_model.safetensors"}
    assert set(header["model"]["base_sha256"]) == set(header["tokenizer"]["sha256"]) == files
    assert (saved / "base").resolve() == (saved_pipeline() / "transformer").resolve()
    with safe_open(saved / "model.safetensors", "pt") as weights:
        names = set(weights.keys())
    assert "prompt" in names and all(".lora_" in name for name in names if name.startswith("transformer"))


def test_a_loaded_checkpoint_predicts_the_same_and_saves_to_the_same_sha256(saved, tmp_path) -> None:
    first = WorldModel.load(saved, dtype="float32")
    past = first.observe(np.full((9, 16, 16, 3), 90, np.uint8), np.zeros((9, 3), np.float32))
    actions = np.random.default_rng(0).normal(size=(2, 24, 3)).astype(np.float32)
    sampling = Sampling(steps=2, solver="unipc", guidance_scale=1.5)
    once = first.rollout(past, actions, sampling=sampling)
    for _ in range(2):  # the second save replaces the first, with its links
        save_checkpoint(tmp_path / "again", load_checkpoint(saved))
    second = WorldModel.load(tmp_path / "again", dtype="float32")
    assert second.sha256 == first.sha256
    assert torch.equal(second.rollout(past, actions, sampling=sampling).latents, once.latents)
    save_checkpoint(tmp_path / "again", load_checkpoint(tmp_path / "again"))  # over itself
    assert load_checkpoint(tmp_path / "again").sha256 == first.sha256


def test_a_long_horizon_is_rolled_out_in_chunks_and_a_mean_is_that_of_its_samples(saved) -> None:
    world = WorldModel.load(saved, dtype="float32")
    past = world.observe(np.full((9, 16, 16, 3), 90, np.uint8), np.zeros((9, 3), np.float32))
    actions = np.random.default_rng(0).normal(size=(1, 30, 3)).astype(np.float32)
    long = world.rollout(past, actions, sampling=Sampling())
    assert long.video.shape[1] == 24 + 8, "6 frames more, in whole latents of 4"
    short = world.rollout(past, actions[:, :24], sampling=Sampling())
    torch.testing.assert_close(long.video[:, :24], world.decode(past, short))
    drawn = Sampling(steps=2)
    one, two = (world.decode(past, rollout) for rollout in world.samples(past, actions[:, :24], 2, sampling=drawn))
    assert not torch.equal(one, two)
    mean = world.mean_frames(past, actions[:, :24], 2, sampling=drawn).astype(float)
    wanted = (127.5 * (one + two)).permute(0, 1, 3, 4, 2).numpy()
    assert np.abs(mean - wanted).max() <= 0.51, "rounded once"


def test_a_base_that_is_absent_or_of_another_sha256_is_rejected(saved, tmp_path) -> None:
    moved = copied(saved, tmp_path / "moved")
    (moved / "base").unlink()
    with pytest.raises(BadCheckpoint, match=r"no config\.json.*as a link `base`"):
        load_checkpoint(moved)
    (moved / "base").symlink_to(pipeline(tmp_path / "other", seed=1) / "transformer")
    with pytest.raises(BadCheckpoint, match=r"the base of this model, sha256 .*as a link `base`"):
        load_checkpoint(moved)


def test_a_base_of_another_size_or_kind_is_rejected(saved, tmp_path) -> None:
    with pytest.raises(BadCheckpoint, match="depth: expected 1, got 2"):
        load_checkpoint(copied(saved, tmp_path / "depth", depth=1))
    image = shutil.copytree(saved_pipeline() / "transformer", tmp_path / "image")
    settings = (image / "config.json").read_text().replace('"image_dim": null', '"image_dim": 8')
    (image / "config.json").write_text(settings)
    with pytest.raises(BadCheckpoint, match=r"the transformer of Wan 2\.2 TI2V: no image embedding"):
        settings_of(image)
    with pytest.raises(BadConfig, match="the folder of its pretrained transformer, got none"):
        open_model(WanConfig(base_sha256={"config.json": "0"}), None)


def test_updates_of_another_rank_and_states_of_another_width_are_rejected(saved, tmp_path) -> None:
    with pytest.raises(BadCheckpoint, match=r"size mismatch for .*lora_A.*\[4, 24\].*\[3, 24\]"):
        load_checkpoint(copied(saved, tmp_path / "rank", lora_rank=3))
    with pytest.raises(BadCheckpoint, match="action dimension: expected the model's 4, got 3"):
        load_checkpoint(copied(saved, tmp_path / "width", action_dim=4))
    assert len(JOINTS) == 3


def test_the_prompt_is_what_the_text_encoder_makes_of_an_empty_string() -> None:
    folder = saved_pipeline()
    prompt = prompt_embedding(folder, 8)
    assert prompt.shape == (1, 32) and prompt.any(), "one token ends the empty string"
    assert torch.equal(prompt, prompt_embedding(folder, 8))
    with pytest.raises(BadCheckpoint, match="text_encoder and tokenizer of the pipeline"):
        prompt_embedding(folder / "vae", 8)
