"""Saving and loading checkpoints; damaged and inconsistent ones are rejected."""

import dataclasses
import shutil
from typing import get_args

import numpy as np
import pytest
import torch
import yaml
from made_checkpoint import made
from untrained import untrained

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.errors import BadCheckpoint
from hwm_core.models.config import Variant
from hwm_core.sampling.config import Sampling
from hwm_core.train.config import TrainingConfig
from hwm_core.train.recipe import Recipe
from hwm_core.world_model.checkpoint import load_checkpoint, load_tokenizer, save_checkpoint, save_tokenizer
from hwm_core.world_model.model import WorldModel


@pytest.fixture
def saved(tmp_path):
    checkpoint = made()
    save_checkpoint(tmp_path / "it", checkpoint)
    return tmp_path / "it", checkpoint


def edit(path, change) -> None:
    """Change the YAML of the checkpoint in `path`."""
    file = path / "checkpoint.yaml"
    mapping = yaml.safe_load(file.read_text())
    change(mapping)
    file.write_text(yaml.safe_dump(mapping))


def test_a_loaded_checkpoint_equals_the_saved_one_in_bfloat16(saved):
    path, checkpoint = saved
    loaded = load_checkpoint(path)
    for part in ("name", "family", "manifest", "preprocessing", "metadata"):
        assert getattr(loaded, part) == getattr(checkpoint, part)
    assert loaded.model.config == checkpoint.model.config and loaded.tokenizer.config == checkpoint.tokenizer.config
    for module, original in ((loaded.model, checkpoint.model), (loaded.tokenizer, checkpoint.tokenizer)):
        assert not module.training
        for name, value in original.state_dict().items():
            assert torch.equal(module.state_dict()[name], value.to(torch.bfloat16).float())


@pytest.mark.parametrize("family", ["masked", "st_transformer"])
def test_a_checkpoint_with_float32_weights_keeps_every_bit_and_stays_float32_when_it_is_saved_again(family, tmp_path):
    checkpoint = dataclasses.replace(untrained(family=family), weights="float32")
    save_checkpoint(tmp_path / "one", checkpoint)
    loaded = load_checkpoint(tmp_path / "one")
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    save_checkpoint(tmp_path / "two", loaded)
    sizes = [(tmp_path / folder / "model.safetensors").stat().st_size for folder in ("one", "two")]
    save_checkpoint(tmp_path / "half", dataclasses.replace(loaded, weights="bfloat16"))
    assert sizes[0] == sizes[1] > 1.5 * (tmp_path / "half" / "model.safetensors").stat().st_size


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recorded_recipe_of_a_shipped_checkpoint_is_valid_today(name):
    metadata = load_checkpoint(checkpoint_path(name)).metadata
    recipe, decoder = Recipe.parse(dict(metadata["recipe"])), TrainingConfig.parse(dict(metadata["decoder_recipe"]))
    assert recipe.family == SHIPPED[name] and decoder.steps == metadata["decoder_steps"]


OPTIONS = [
    *(
        {"family": family, "variant": variant, "unshared_depth": 1}
        for family in ("masked", "flow")
        for variant in get_args(Variant)
    ),
    {"family": "st_transformer", "vocabulary": "flat"},
    {"family": "st_transformer", "vocabulary": "factorised"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(str(one) for one in options.values()))
def test_a_loaded_model_predicts_the_same_bit_for_bit(options, tmp_path):
    checkpoint = untrained(depth=2, **options)
    for module in (checkpoint.model, checkpoint.tokenizer):
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        module.to(torch.bfloat16).float()  # what a file holds
    save_checkpoint(tmp_path / "it", checkpoint)
    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    futures = []
    for one in (checkpoint, load_checkpoint(tmp_path / "it")):
        world = WorldModel(one, dtype=torch.float32)
        past = world.observe(frames, np.ones((9, 3), np.float32))
        futures.append(world.rollout(past, np.ones((1, 24, 3), np.float32), sampling=Sampling()).latents)
    assert torch.equal(*futures)


def test_a_model_with_a_tokenizer_of_the_other_family_is_rejected(saved):
    path, _ = saved
    edit(path, lambda y: y.update(tokenizer={"kind": "continuous", "width": 16}))
    with pytest.raises(BadCheckpoint, match=r"expected discrete codes.*got `continuous`"):
        load_checkpoint(path)


def test_saving_a_loaded_checkpoint_gives_the_same_sha256(saved, tmp_path):
    path, _ = saved
    loaded = load_checkpoint(path)
    save_checkpoint(tmp_path / "again", loaded)
    assert load_checkpoint(tmp_path / "again").sha256 == loaded.sha256


def test_other_weights_have_another_sha256(saved, tmp_path):
    path, checkpoint = saved
    with torch.no_grad():
        next(checkpoint.model.parameters()).add_(1.0)
    save_checkpoint(tmp_path / "other", checkpoint)
    assert load_checkpoint(tmp_path / "other").sha256 != load_checkpoint(path).sha256


def test_a_tokenizer_has_the_same_weight_file_alone_and_in_a_checkpoint(saved, tmp_path):
    path, checkpoint = saved
    save_tokenizer(tmp_path / "tokenizer", checkpoint.tokenizer)
    name = "tokenizer.safetensors"
    assert (tmp_path / "tokenizer" / name).read_bytes() == (path / name).read_bytes()
    loaded = load_tokenizer(tmp_path / "tokenizer")
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_saving_replaces_a_checkpoint_and_leaves_no_other_files(saved):
    path, checkpoint = saved
    save_checkpoint(path, dataclasses.replace(checkpoint, name="newer"))
    assert load_checkpoint(path).name == "newer"
    assert [entry.name for entry in path.parent.iterdir()] == ["it"]


def test_a_save_that_fails_leaves_the_old_checkpoint(saved):
    path, checkpoint = saved
    with pytest.raises(ValueError, match="serialize"):
        save_checkpoint(path, dataclasses.replace(checkpoint, metadata={"not yaml": object}))
    assert load_checkpoint(path).name == "test"
    assert [entry.name for entry in path.parent.iterdir()] == ["it"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.safetensors"])
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1] + bytes([data[-1] ^ 1])],
    ids=["truncated", "empty", "one bit changed"],
)
def test_damaged_weights_are_rejected(saved, name, damage):
    path, _ = saved
    (path / name).write_bytes(damage((path / name).read_bytes()))
    with pytest.raises(BadCheckpoint, match=f"{name}: expected sha256 .* copy it again"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.safetensors", "checkpoint.yaml"])
def test_a_missing_file_is_rejected(saved, name):
    path, _ = saved
    (path / name).unlink()
    with pytest.raises(BadCheckpoint, match=f"{name}.*No such file"):
        load_checkpoint(path)


def test_a_truncated_yaml_is_rejected(saved):
    path, _ = saved
    file = path / "checkpoint.yaml"
    text = file.read_text()
    for length in range(0, len(text) - 1, 97):
        file.write_text(text[:length])
        with pytest.raises(BadCheckpoint):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.update(family="maskd"), "model family: expected masked or flow"),
        (
            lambda y: y.update(format=1),
            "key `format`: expected 2, the format of this version.*got 1. Use the version",
        ),
        (lambda y: y.pop("format"), "key `format`: expected 2.*got no such key"),
        (lambda y: y["model"].update(detph=3), "Did you mean `depth`"),
        (lambda y: y["tokenizer"].update(kind="magvit"), "key `kind`: expected causal or continuous or cosmos"),
        (lambda y: y.pop("manifest"), "key `manifest`.*got nothing"),
        (lambda y: y["model"].update(grid=[4, 4]), r"grid: expected the model's \(4, 4\), got \(2, 2\)"),
        (lambda y: y["model"].update(action_dim=3), "action dimension: expected the model's 3, got 2"),
        (lambda y: y["model"].update(levels=[5, 8]), r"levels: expected the model's \(5, 8\)"),
        (lambda y: y["model"].update(depth=2), "expected the weights that its YAML describes.*Missing key"),
        (lambda y: y["model"].update(dim=32), "expected the weights that its YAML describes.*size mismatch"),
    ],
)
def test_a_checkpoint_with_parts_that_do_not_fit_is_rejected(saved, change, message):
    path, _ = saved
    edit(path, change)
    with pytest.raises(BadCheckpoint, match=message):
        load_checkpoint(path)


def test_a_folder_without_a_checkpoint_is_rejected(tmp_path):
    shutil.copy(__file__, tmp_path / "checkpoint.yaml")
    with pytest.raises(BadCheckpoint):
        load_checkpoint(tmp_path)
