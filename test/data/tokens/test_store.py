"""Token stores: the cache of training windows, training on it, and the published 1X sets."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
import yaml
from grey_episodes import episode as grey
from onex_sets import tokens_v1, tokens_v2
from small_training import episode
from tokenised import EncodesOnly
from untrained import CONTINUOUS, FAMILIES, TOKENIZER

from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import manifest_path, open_store, write_episode
from hwm_core.data.episodes.windows import Windows, window_starts
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.store import open_token_store
from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.data.tokens.windows import TokenWindows
from hwm_core.errors import BadBag, BadCheckpoint, BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.config import TrainingConfig
from hwm_core.train.recipe import read_recipe
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.world_model.checkpoint import load_checkpoint, save_tokenizer
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.registry import build_model
from training import tokenise_data, train

PREPROCESSING = Preprocessing(source_aspect=1.0, height=16, width=16)


NO_PIXELS = ["data.augmentation.shift=0", "data.augmentation.colour=0"]


SMALL = ["model.dim=16", "model.depth=1", "model.num_heads=2", "data.validation_windows=2", *NO_PIXELS]


STEPS = [f"train.{key}" for key in ("max_minutes=null", "steps=2", "batch_size=2", "precision=float32", "ema_decay=0")]


def made(config):
    """A tokenizer with random weights, so that every layer changes the codes."""
    torch.manual_seed(1)
    tokenizer = build_tokenizer(config).eval()
    for parameter in tokenizer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tokenizer.to(torch.bfloat16).float()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    for split, seeds in (("training", (0, 1)), ("validation", (2,))):
        for seed in seeds:
            write_episode(path / split, episode(f"run_{seed}", seed), PREPROCESSING)
    one = episode("run_0", 0)
    manifest = fit_manifest("robot", "states", one.names, ("rad", "rad"), one.states)
    manifest_path(path, "states").write_text(yaml.safe_dump(manifest.plain()))
    for name, config in (("discrete", TOKENIZER), ("continuous", CONTINUOUS)):
        save_tokenizer(path / name, made(config))
    return path


def command(*arguments) -> int:
    return tokenise_data.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def cache(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens")
    options = ["--latents", 5, "--stride", 2, "--precision", "float32"]
    assert command(store, "--tokenizer", store / "discrete", "--out", path, *options) == 0
    return path


@pytest.mark.parametrize(("family", "exact"), [("masked", False), ("flow", True)])
def test_training_from_the_cache_equals_training_from_frames_bit_for_bit(store, tmp_path, family, exact):
    of_family, config = FAMILIES[family]
    tokenizer, opened = made(config), open_store(store)
    manifest, lengths = opened.manifests["states"], (9, 24)
    options = TokeniseOptions(latents=5, stride=2, exact=exact, precision="float32", batch=3)
    list(tokenise(opened.training, PREPROCESSING, tokenizer, tmp_path, spec=spec_of(tokenizer), options=options))
    sources = {
        "frames": Windows(opened.training, manifest, *lengths, stride=2),
        "codes": TokenWindows(open_tokens(tmp_path), manifest, latents=5),
    }
    assert len(sources["frames"]) == len(sources["codes"]) == 8  # starts 0, 2, 4, 6 of two episodes of 40 frames
    weights = {}
    for name, windows in sources.items():
        torch.manual_seed(0)
        shape = {"grid": [2, 2], "num_past_latents": 2, "num_future_latents": 3, "depth": 1, "num_heads": 2}
        model = build_model(family, {**shape, "action_dim": 2, **of_family})
        augmentation = Augmentation(shift=0, colour=0)  # the default augmentation of actions
        settings = {"steps": 3, "batch_size": 2, "learning_rate": 1e-2, "warmup_steps": 0, "precision": "float32"}
        trainer = Trainer(WorldModelTask(model, tokenizer, augmentation), TrainingConfig.parse(settings))
        trainer.fit(windows)
        weights[name] = torch.cat([p.detach().flatten() for p in trainer.module.parameters()])
    assert torch.equal(weights["frames"], weights["codes"])


def test_float16_latents_differ_by_less_than_a_thousandth(store, tmp_path):
    tokenizer, opened = made(CONTINUOUS), open_store(store)
    stored = {}
    for exact in (False, True):
        options = TokeniseOptions(latents=5, stride=4, exact=exact, precision="float32")
        out = tmp_path / str(exact)
        list(tokenise(opened.training, PREPROCESSING, tokenizer, out, spec=spec_of(tokenizer), options=options))
        stored[exact] = open_tokens(out)[0].tokens
    assert stored[False].dtype == np.float16 and stored[True].dtype == np.float32
    np.testing.assert_allclose(stored[False].astype(np.float32), stored[True], rtol=2**-11, atol=1e-6)


def test_clips_of_the_cache_begin_every_stride_frames_of_a_segment(tmp_path):
    class Codes(EncodesOnly):
        """The code of a latent is the grey value of its last frame."""

        kind, codes, levels, latent_channels, temporal_factor, spatial_factor = "grey", "discrete", (256,), 1, 4, 4

        def encode(self, frames):
            return (255 * frames[:, ::4, 0, ::4, ::4]).round().long()

    one = grey("run", lengths=(12, 4, 11))
    spec = spec_of(Codes())
    list(tokenise([one], PREPROCESSING, Codes(), tmp_path, spec=spec, options=TokeniseOptions(latents=2, stride=3)))
    (shard,) = open_tokens(tmp_path)
    assert shard.first_frames.tolist() == [0, 3, 6, 16, 19, 22] == window_starts(one.segments, 5, 3).tolist()
    assert shard.tokens[:, :, 0, 0].tolist() == [[t, t + 4] for t in shard.first_frames]
    assert shard.tokens.dtype == np.uint16 and shard.states[:, 0].tolist() == list(range(27))
    # Every second clip of a segment starts 6 frames later, as windows of frames do.
    assert shard.first_frames[shard.valid_starts(stride=2)].tolist() == [0, 6, 16, 22]
    window = TokenWindows([shard], None, latents=1)[1]
    assert window.tokens[:, 0, 0].tolist() == [3]


def test_several_processes_make_the_same_set_as_one(store, tmp_path):
    tokenizer, episodes = made(TOKENIZER), [episode(f"run_{number}", number) for number in range(3)]
    spec = spec_of(tokenizer)

    def share(out, rank, world_size):
        options = TokeniseOptions(latents=3, stride=8, rank=rank, world_size=world_size)
        return [one.name for one in tokenise(episodes, PREPROCESSING, tokenizer, out, spec=spec, options=options)]

    assert share(tmp_path / "one", 0, 1) == ["run_0", "run_1", "run_2"]
    assert share(tmp_path / "two", 1, 2) == ["run_1"] and not (tmp_path / "two" / "metadata.json").exists()
    assert share(tmp_path / "two", 0, 2) == ["run_0", "run_2"]
    files = {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()}


def trained(store, tokens, out, *more, tokenizer="discrete") -> int:
    given = ["--tokenizer", str(store / tokenizer)] if tokenizer else []
    base = ["--data", str(tokens), "--out", str(out), *given, "data.actions=states", *SMALL, *STEPS]
    return train.main([*base, *more])


def test_the_command_trains_on_a_cache_to_a_checkpoint_with_its_robot_camera_and_tokenizer(store, cache, tmp_path):
    assert trained(store, cache, tmp_path / "codes") == 0
    assert trained(store, store, tmp_path / "frames", "data.stride=2") == 0
    weights = [(tmp_path / run / "checkpoint" / "model.safetensors").read_bytes() for run in ("codes", "frames")]
    assert weights[0] == weights[1]
    assert WorldModel.load(tmp_path / "codes" / "checkpoint").manifest == open_store(store).manifests["states"]


def test_options_that_do_not_fit_the_tokens_are_rejected(store, cache, tmp_path, capsys):
    other = made({**TOKENIZER, "decoder_blocks": 2})
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
        with pytest.raises(SystemExit):
            trained(store, cache, tmp_path / "run", *more, tokenizer=tokenizer)
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        trained(store, cache, tmp_path / "run", tokenizer=None)
    assert "only tokens made elsewhere" in capsys.readouterr().err


def test_tuning_the_decoder_keeps_the_checksum_of_the_tokenizer(monkeypatch):
    tokenizer = made(TOKENIZER)
    before = spec_of(tokenizer)
    torch.nn.init.normal_(tokenizer.first_head.weight)
    assert spec_of(tokenizer) == before
    torch.nn.init.normal_(tokenizer.first_stem.weight)
    assert spec_of(tokenizer).sha256 != before.sha256
    monkeypatch.setattr(type(tokenizer), "codes_sha256", "of its files")  # as for an external tokenizer
    assert spec_of(tokenizer).sha256 == "of its files"


def test_a_changed_manifest_and_splits_of_different_settings_are_rejected(store, cache, tmp_path):
    shutil.copytree(cache, tmp_path / "set")
    file = manifest_path(tmp_path / "set", "states")
    file.write_text(file.read_text().replace("neck_yaw", "neck_pan"))
    with pytest.raises(BadConfig, match="the manifest of the tokenised store"):
        open_token_store(tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "validation")
    with pytest.raises(BadBag, match=r"one set named val.*got none"):
        open_token_store(tmp_path / "set")
    command(store, "--tokenizer", store / "discrete", "--out", tmp_path / "other", "--stride", 3)
    shutil.copytree(tmp_path / "other" / "validation", tmp_path / "set" / "validation")
    with pytest.raises(BadConfig, match="clip_frames: expected the same in validation as in training"):
        open_token_store(tmp_path / "set")


def rewritten(file, **changes):
    """Change the metadata of a set."""
    metadata = json.loads(file.read_text())
    metadata.get("hwm", metadata).update(changes)
    file.write_text(json.dumps(metadata))


SHARED = {
    "preprocessing": {**PREPROCESSING.plain(), "source_aspect": 1.5},
    "names": ["left_elbow", "neck_yaw"],
    "clip_frames": 13,
    "stride": 3,
    "manifests": {"states": "0" * 64},
}


@pytest.mark.parametrize("key", SHARED)
@pytest.mark.parametrize("side", ["training", "validation"])
def test_splits_that_differ_in_a_shared_setting_are_rejected_with_its_name(cache, tmp_path, key, side):
    path = shutil.copytree(cache, tmp_path / "set")
    open_token_store(path)
    rewritten(path / side / "metadata.json", **{key: SHARED[key]})
    with pytest.raises(BadConfig, match=f"{key}: expected the same in validation as in training, got another"):
        open_token_store(path)


@pytest.mark.parametrize(
    ("key", "value"), [("sha256", "0" * 64), ("levels", [25]), ("kind", "mine"), ("temporal_factor", 2)]
)
def test_splits_of_different_tokenizers_are_rejected_with_the_difference(cache, tmp_path, key, value):
    path = shutil.copytree(cache, tmp_path / "set")
    file = path / "validation" / "metadata.json"
    rewritten(file, tokenizer={**json.loads(file.read_text())["hwm"]["tokenizer"], key: value})
    with pytest.raises(BadConfig, match=f"tokenizer: expected {key}"):
        open_token_store(path)


def bytes_below(folder):
    """{path: (contents, time of the last write)} of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def other_store(store, tmp_path):
    """A store with the same episodes and the manifest of another robot."""
    path = shutil.copytree(store, tmp_path / "store")
    manifest = open_store(store).manifests["states"].model_copy(update={"robot": "other"})
    manifest_path(path, "states").write_text(yaml.safe_dump(manifest.plain()))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected the manifests it was started with"),
        ({"tokenizer": "other"}, "expected the manifests, tokenizer it was started with"),
        ({"tokenizer": "continuous", "stride": None}, "expected a stride"),
        ({"needs_statistics": True}, "a tokenizer with statistics of its latents"),
        ({"kept": ["validation"]}, "expected the manifests it was started with"),
        ({"latents": 30}, "expected a segment of at least 233 frames"),
        ({"batch": 0}, "key `batch`"),
    ],
)
def test_a_rejected_call_changes_no_byte_of_an_existing_set(
    store, other_store, cache, tmp_path, monkeypatch, capsys, changes, message
):
    given = {
        "tokenizer": "discrete",
        "stride": 2,
        "latents": 5,
        "kept": ["training", "validation"],
        "batch": 8,
    } | changes
    torch.manual_seed(5)
    save_tokenizer(other_store / "other", build_tokenizer(TOKENIZER))
    out = shutil.copytree(cache, tmp_path / "tokens")
    for split in {"training", "validation"} - {*given["kept"]}:
        shutil.rmtree(out / split)
    before = bytes_below(out)
    if given.get("needs_statistics"):
        tokenizer = made(TOKENIZER)
        monkeypatch.setattr(type(tokenizer), "needs_statistics", True)
        monkeypatch.setattr(tokenise_data, "load_tokenizer", lambda *_: tokenizer)
    words = ["--tokenizer", other_store / given["tokenizer"], "--out", out, "--precision", "float32"]
    for key in ("stride", "latents", "batch"):
        words += [] if given[key] is None else [f"--{key}", given[key]]
    assert command(other_store, *words) == 2
    assert message in capsys.readouterr().err
    assert bytes_below(out) == before and {one.name for one in out.iterdir()} == {*given["kept"], "states.yaml"}
    if given["kept"] == ["training", "validation"]:
        open_token_store(out)


def test_a_rejected_call_makes_no_folder(store, tmp_path):
    words = ["--tokenizer", store / "continuous", "--out", tmp_path / "tokens"]
    assert command(store, *words) == 2 and not (tmp_path / "tokens").exists()


def test_a_run_resumed_on_other_data_is_rejected(store, cache, tmp_path, capsys):
    trained(store, cache, tmp_path / "run")
    file = tmp_path / "run" / "data.yaml"
    identity = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**identity, "manifest": "another"}))
    with pytest.raises(SystemExit):
        trained(store, cache, tmp_path / "run", "--resume")
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
    assert trained(None, tokens, tmp_path / "run", *recipe, tokenizer=None) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoint")
    assert checkpoint.tokenizer is None and not (tmp_path / "run" / "checkpoint" / "tokenizer.safetensors").exists()
    assert checkpoint.model.vocabulary.size == size[0] and list(checkpoint.model.config.grid) == size[1]
    assert checkpoint.metadata["tokenizer_spec"]["kind"] == ("cosmos" if version == "v2.0" else "magvit2")
    assert checkpoint.manifest.dim == (25 if version == "v2.0" else 26)
    with pytest.raises(BadCheckpoint, match=r"expected a tokenizer.*got none"):
        WorldModel.load(tmp_path / "run" / "checkpoint")


def test_magvit_codes_are_two_digits_of_512(tmp_path):
    recipe = read_recipe("tiny", ["data.actions=states", "model.num_past_latents=8", "model.patch=1", *NO_PIXELS])
    material = open_training_data(onex(tmp_path, "v1.1"), recipe, None)
    assert material.config.levels == (512, 512) and material.config.temporal_factor == 1
    assert material.windows[0].actions.shape == (11, 26) == (8 + 3, 26)


def test_mapped_sets_keep_no_file_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    shards = open_tokens(tokens_v2(tmp_path / "set", frames=(17,) * 5))
    assert len(shards) == 5 and len(os.listdir("/proc/self/fd")) == before
