"""A Cosmos download as tokenizer: training, checkpoints that refer to it, and loading them."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from command import hwm
from cosmos_folder import cosmos_folder
from small_training import SMALL, SMALL_FLOW, episode

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadCheckpoint
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import load_checkpoint, load_tokenizer, save_checkpoint, save_tokenizer
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

COSMOS = {"tiny": "DV8x8x8", "flow_tiny": "CV8x8x8"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    one = episode("one", 0)
    for split, some in {"training": one, "validation": episode("two", 1)}.items():
        write_episode(path / split, some, Preprocessing(source_aspect=1.0, height=16, width=16))
    manifest = fit_manifest("robot", "states", one.names, ("rad", "rad"), one.states)
    manifest_path(path, "states").write_text(yaml.safe_dump(manifest.plain()))
    return path


def overrides(preset: str) -> list[str]:
    of_model = [one for one in (SMALL if preset == "tiny" else SMALL_FLOW) if not one.startswith("tokenizer.")]
    return [*of_model, "data.actions=states"]


@pytest.fixture(scope="module", params=COSMOS)
def trained(request, store, tmp_path_factory):
    """A checkpoint trained with a download, the download, and the preset."""
    folder = cosmos_folder(tmp_path_factory.mktemp("download") / "files", COSMOS[request.param])
    out = tmp_path_factory.mktemp("runs") / "run"
    base = ["--preset", request.param, "--data", str(store), "--tokenizer", str(folder), "--out", str(out)]
    assert hwm("train", *base, *overrides(request.param)) == 0
    return out / "checkpoint", folder, request.param


def test_a_checkpoint_refers_to_the_download_and_predicts_with_it(trained):
    checkpoint, folder, preset = trained
    header = yaml.safe_load((checkpoint / "checkpoint.yaml").read_text())
    assert header["tokenizer"]["name"] == COSMOS[preset] and "tokenizer.safetensors" not in header["weights"]
    assert len(header["tokenizer"]["latent_std"]) == (16 if preset == "flow_tiny" else 0)
    assert (checkpoint / "tokenizer").readlink() == folder.resolve()
    world = WorldModel.load(checkpoint)
    past = world.observe(np.zeros((9, 16, 16, 3), np.uint8), np.zeros((9, 2), np.float32))
    rollout = world.rollout(past, np.zeros((2, 32, 2), np.float32), sampling=Sampling())
    assert world.frames(past, rollout).shape == (2, 32, 16, 16, 3)
    assert WorldModelDynamics(world).goal(np.zeros((16, 16, 3), np.uint8)).latent.shape[:2] == (2, 2)


def test_a_moved_download_is_requested_by_its_sha256_and_found_by_path_or_link(trained, tmp_path):
    checkpoint, folder, _ = trained
    wanted = yaml.safe_load((checkpoint / "checkpoint.yaml").read_text())["tokenizer"]["sha256"]["encoder.jit"]
    moved = tmp_path / "moved"
    shutil.copytree(checkpoint, moved, symlinks=True, ignore=shutil.ignore_patterns("tokenizer"))
    with pytest.raises(BadCheckpoint, match=f"sha256 {wanted}, got no such file.*as `tokenizer` when loading"):
        WorldModel.load(moved)
    digest = WorldModel.load(moved, tokenizer=folder).sha256
    (moved / "tokenizer").symlink_to(folder)
    assert WorldModel.load(moved).sha256 == digest == load_checkpoint(checkpoint).sha256


def test_another_download_is_rejected(trained, tmp_path):
    checkpoint, _, preset = trained
    other = cosmos_folder(tmp_path / "other", COSMOS[preset], seed=1)
    with pytest.raises(BadCheckpoint, match=r"expected encoder\.jit of Cosmos"):
        WorldModel.load(checkpoint, tokenizer=other)


def test_a_checkpoint_with_its_own_tokenizer_rejects_another(tmp_path):
    with pytest.raises(BadCheckpoint, match="the checkpoint contains its tokenizer"):
        WorldModel.load("hwm_core/assets/tiny", tokenizer=tmp_path)


def test_saving_a_loaded_checkpoint_gives_the_same_checkpoint_and_does_not_change_the_download(trained, tmp_path):
    checkpoint, folder, _ = trained
    for _ in range(2):  # the second save replaces the first, with its link to the download
        save_checkpoint(tmp_path / "again", load_checkpoint(checkpoint))
    assert load_checkpoint(tmp_path / "again").sha256 == load_checkpoint(checkpoint).sha256
    assert {path.name for path in folder.iterdir()} == {"encoder.jit", "decoder.jit"}


def test_a_tokenizer_loads_from_a_download_from_a_checkpoint_and_from_its_own_folder(trained, tmp_path):
    checkpoint, folder, _ = trained
    of_checkpoint = load_tokenizer(checkpoint)
    save_tokenizer(tmp_path / "alone", of_checkpoint)
    alone, download = load_tokenizer(tmp_path / "alone"), load_tokenizer(folder)
    assert alone.config == of_checkpoint.config and alone.config.sha256 == download.config.sha256
    frames = torch.rand(1, 9, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(alone.encode(frames), of_checkpoint.encode(frames))
    assert not any(parameter.requires_grad for parameter in download.parameters())


def test_tuning_the_decoder_of_a_download_is_rejected(trained, store, tmp_path, capsys):
    checkpoint, _, preset = trained
    base = ["--preset", preset, "--data", str(store), "--checkpoint", str(checkpoint), "--out", str(tmp_path / "run")]
    assert hwm("tune-decoder", *base, *overrides(preset)) == 2
    assert "a tokenizer that hwm train-tokenizer trained" in capsys.readouterr().err


def test_tokenising_with_unnormalised_latents_is_rejected(tmp_path, store, capsys) -> None:
    folder = cosmos_folder(tmp_path / "files", "CV8x8x8")
    words = [str(store), "--tokenizer", str(folder), "--out", str(tmp_path / "codes")]
    assert hwm("tokenize", *words) == 2
    assert "with statistics of its latents" in capsys.readouterr().err
