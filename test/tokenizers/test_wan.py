"""Wan's VAE as a tokenizer: geometry, causality, normalisation, and the identity of its files."""

import json
import shutil

import pytest
import torch
from wan_models import CHANNELS, saved_pipeline

from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.tokenizers.wan import WanVideoTokenizer
from hwm_core.world_model.checkpoint import load_tokenizer


@pytest.fixture(scope="module")
def vae():
    return saved_pipeline() / "vae"


@pytest.fixture(scope="module")
def tokenizer(vae) -> WanVideoTokenizer:
    made = load_tokenizer(vae)
    assert isinstance(made, WanVideoTokenizer)
    return made


def test_geometry_and_spec(tokenizer) -> None:
    frames = torch.rand(2, 9, 3, 16, 24)
    codes = tokenizer.encode(frames)
    assert codes.shape == (2, 3, 2, 3, CHANNELS)
    assert tokenizer.decode(codes).shape == frames.shape
    assert tokenizer.decode(10 * codes).min() >= 0 and tokenizer.decode(10 * codes).max() <= 1
    spec = spec_of(tokenizer)
    assert (spec.kind, spec.codes, spec.temporal_factor, spec.spatial_factor) == ("wan", "continuous", 4, 8)
    with pytest.raises(BadInput, match=r"1 \+ k \* 4"):
        tokenizer.encode(frames[:, :6])


def test_a_prefix_of_a_video_gives_a_prefix_of_its_codes_and_clips_are_encoded_alone(tokenizer, monkeypatch) -> None:
    frames = torch.rand(3, 9, 3, 16, 16)
    codes = tokenizer.encode(frames)
    assert torch.allclose(tokenizer.encode(frames[:, :5]), codes[:, :2], atol=1e-5)
    video = tokenizer.decode(codes)
    assert torch.allclose(tokenizer.decode(codes[:, :2]), video[:, :5], atol=1e-5)
    monkeypatch.setattr(type(tokenizer), "max_frames", 1)
    assert torch.allclose(tokenizer.encode(frames), codes, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(tokenizer.encode(frames), tokenizer.encode(frames).float())
        assert torch.allclose(tokenizer.encode(frames), codes, atol=1e-5), "it keeps its own precision"


def test_codes_are_normalised_by_the_statistics_in_the_folder(vae, tokenizer, tmp_path) -> None:
    folder = shutil.copytree(vae, tmp_path / "vae")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**settings, "latents_mean": [1.0] * CHANNELS, "latents_std": [2.0] * CHANNELS})
    )
    frames, other = torch.rand(1, 5, 3, 16, 16), WanVideoTokenizer.open(folder)
    codes = other.encode(frames)
    assert torch.allclose(codes, (tokenizer.encode(frames) - 1) / 2, atol=1e-5)
    assert torch.allclose(other.decode(codes), tokenizer.decode(tokenizer.encode(frames)), atol=1e-4)
    assert other.codes_sha256 != tokenizer.codes_sha256
    with pytest.raises(BadCheckpoint, match=r"config.json of the VAE of this model, sha256"):
        WanVideoTokenizer(tokenizer.config, folder)


def test_folders_that_are_no_vae_of_wan_are_rejected(vae, tmp_path) -> None:
    with pytest.raises(BadCheckpoint, match=r"no config\.json"):
        WanVideoTokenizer.open(tmp_path)
    with pytest.raises(BadCheckpoint, match=r"config\.json of another class"):
        WanVideoTokenizer.open(vae.parent / "transformer")
    folder = shutil.copytree(vae, tmp_path / "vae")
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(BadCheckpoint, match=r"weights: \*.safetensors"):
        WanVideoTokenizer.open(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part-1.safetensors"}}))
    with pytest.raises(BadCheckpoint, match=r"expected part-1.safetensors, got no such file"):
        WanVideoTokenizer.open(folder)
