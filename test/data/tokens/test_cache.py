"""Tokens as a cache of training windows."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from grey_episodes import episode as grey
from small_training import episode
from token_training import PREPROCESSING, random_tokenizer, tokenise_store
from tokenised import EncodesOnly
from untrained import CONTINUOUS, FAMILIES, TOKENIZER

from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import manifest_path, open_store
from hwm_core.data.episodes.windows import Windows, window_starts
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.store import open_token_store
from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.data.tokens.windows import TokenWindows
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.config import TrainingConfig
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.world_model.checkpoint import save_tokenizer
from hwm_core.world_model.registry import build_model
from training import tokenise_data


@pytest.mark.parametrize(("family", "exact"), [("masked", False), ("flow", True)])
def test_training_from_the_cache_equals_training_from_frames_bit_for_bit(store, tmp_path, family, exact):
    of_family, config = FAMILIES[family]
    tokenizer, opened = random_tokenizer(config), open_store(store)
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
    tokenizer, opened = random_tokenizer(CONTINUOUS), open_store(store)
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
    tokenizer, episodes = random_tokenizer(TOKENIZER), [episode(f"run_{number}", number) for number in range(3)]
    spec = spec_of(tokenizer)

    def share(out, rank, world_size):
        options = TokeniseOptions(latents=3, stride=8, rank=rank, world_size=world_size)
        return [one.name for one in tokenise(episodes, PREPROCESSING, tokenizer, out, spec=spec, options=options)]

    assert share(tmp_path / "one", 0, 1) == ["run_0", "run_1", "run_2"]
    assert share(tmp_path / "two", 1, 2) == ["run_1"] and not (tmp_path / "two" / "metadata.json").exists()
    assert share(tmp_path / "two", 0, 2) == ["run_0", "run_2"]
    files = {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()}


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
        tokenizer = random_tokenizer(TOKENIZER)
        monkeypatch.setattr(type(tokenizer), "needs_statistics", True)
        monkeypatch.setattr(tokenise_data, "load_tokenizer", lambda *_: tokenizer)
    words = ["--tokenizer", other_store / given["tokenizer"], "--out", out, "--precision", "float32"]
    for key in ("stride", "latents", "batch"):
        words += [] if given[key] is None else [f"--{key}", given[key]]
    assert tokenise_store(other_store, *words) == 2
    assert message in capsys.readouterr().err
    assert bytes_below(out) == before and {one.name for one in out.iterdir()} == {*given["kept"], "states.yaml"}
    if given["kept"] == ["training", "validation"]:
        open_token_store(out)


def test_a_rejected_call_makes_no_folder(store, tmp_path):
    words = ["--tokenizer", store / "continuous", "--out", tmp_path / "tokens"]
    assert tokenise_store(store, *words) == 2 and not (tmp_path / "tokens").exists()
