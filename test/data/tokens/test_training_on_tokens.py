"""Training on a token store of hwm, and on the published 1X sets."""

import pytest
import torch
import yaml
from onex_sets import tokens_v1, tokens_v2
from token_training import NO_PIXELS, random_tokenizer, train_on
from untrained import TOKENIZER

from hwm_core.data.episodes.store import open_store
from hwm_core.errors import BadCheckpoint
from hwm_core.train.recipe import read_recipe
from hwm_core.train.training_data import open_training_data
from hwm_core.world_model.checkpoint import load_checkpoint, save_tokenizer
from hwm_core.world_model.model import WorldModel


def test_the_command_trains_on_a_cache_to_a_checkpoint_with_its_robot_camera_and_tokenizer(store, cache, tmp_path):
    assert train_on(store, cache, tmp_path / "codes") == 0
    assert train_on(store, store, tmp_path / "frames", "data.stride=2") == 0
    weights = [(tmp_path / run / "checkpoint" / "model.safetensors").read_bytes() for run in ("codes", "frames")]
    assert weights[0] == weights[1]
    assert WorldModel.load(tmp_path / "codes" / "checkpoint").manifest == open_store(store).manifests["states"]


def test_options_that_do_not_fit_the_tokens_are_rejected(store, cache, tmp_path, capsys):
    other = random_tokenizer({**TOKENIZER, "decoder_blocks": 2})
    save_tokenizer(tmp_path / "same_codes", other)  # only another decoder, so the codes are the same
    torch.nn.init.normal_(other.to_latents[2].bias)
    save_tokenizer(tmp_path / "other", other)
    for arguments, message in (
        ((tmp_path / "other",), "tokenizer: expected sha256"),
        ((store / "discrete", "data.augmentation.shift=2"), "holds tokens, which cannot be augmented so"),
        ((store / "discrete", "model.num_future_latents=4"), "Tokenise with `--latents 6`"),
        ((store / "discrete", "data.actions=commands"), "expected states, got `commands`"),
    ):
        tokenizer, *more = map(str, arguments)
        assert train_on(store, cache, tmp_path / "run", *more, tokenizer=tokenizer) == 2
        assert message in capsys.readouterr().err
    assert train_on(store, cache, tmp_path / "run", tokenizer=None) == 2
    assert "only tokens made elsewhere" in capsys.readouterr().err


def test_a_run_resumed_on_other_data_is_rejected(store, cache, tmp_path, capsys):
    train_on(store, cache, tmp_path / "run")
    file = tmp_path / "run" / "data.yaml"
    identity = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**identity, "manifest": "another"}))
    assert train_on(store, cache, tmp_path / "run", "--resume") == 2
    assert "expected manifest another" in capsys.readouterr().err


def onex(path, version):
    """A folder with a training set and a validation set, as 1X publishes them."""
    for side in ("train", "val"):
        if version == "v2.0":
            tokens_v2(path / f"{side}_v2.0", frames=(51, 40), folders=side == "train")
        else:
            tokens_v1(path / f"{side}_v1.1")
    return path


@pytest.mark.parametrize(
    ("version", "model", "size"),
    [
        ("v2.0", {"num_past_latents": 2, "num_future_latents": 1}, (64_000, [32, 32])),
        ("v2.0", {"num_past_latents": 3, "num_future_latents": 3, "patch": 4}, (64_000, [32, 32])),
        ("v1.1", {"num_past_latents": 3, "num_future_latents": 2}, (2**18, [16, 16])),
    ],
)
def test_1x_sets_train_without_their_tokenizer_and_the_checkpoint_records_it(tmp_path, version, model, size):
    tokens = onex(tmp_path / "set", version)
    changes = [f"model.{key}={value}" for key, value in model.items()]
    recipe = ["model.patch=2", "model.vocabulary=factorised", "train.steps=1", "train.report_every=1", *changes]
    assert train_on(None, tokens, tmp_path / "run", *recipe, tokenizer=None) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoint")
    assert checkpoint.tokenizer is None and not (tmp_path / "run" / "checkpoint" / "tokenizer.safetensors").exists()
    assert checkpoint.model.vocabulary.size == size[0] and list(checkpoint.model.config.grid) == size[1]
    assert checkpoint.metadata["tokenizer_spec"]["kind"] == ("cosmos" if version == "v2.0" else "magvit2")
    assert checkpoint.manifest.dim == (25 if version == "v2.0" else 26)
    with pytest.raises(BadCheckpoint, match=r"expected a tokenizer.*got none"):
        WorldModel.load(tmp_path / "run" / "checkpoint")


def test_magvit_codes_are_two_digits_of_512(tmp_path):
    recipe = read_recipe("tiny", ["data.actions=states", "model.num_past_latents=8", "model.patch=1", *NO_PIXELS])
    data = open_training_data(onex(tmp_path, "v1.1"), recipe, None)
    assert data.config.levels == (512, 512) and data.config.temporal_factor == 1
    assert data.windows[0].actions.shape == (11, 26) == (8 + 3, 26)
