"""Cosmos tokenizers: the contract of their files, tested with small scripted modules of the published interface."""

import sys
from types import ModuleType

import pytest
import torch
from cosmos_folder import cosmos_folder

from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer, fsq
from hwm_core.tokenizers.cosmos import CosmosTokenizerConfig, CosmosVideoTokenizer
from hwm_core.tokenizers.cosmos_files import TorchScriptCodec
from hwm_core.tokenizers.cosmos_models import COSMOS_MODELS, LEVELS


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder for each Cosmos model; its name does not state the model."""
    return {name: cosmos_folder(tmp_path_factory.mktemp("download"), name) for name in COSMOS_MODELS}


@pytest.fixture
def discrete(folders):
    return CosmosVideoTokenizer.open(folders["DV8x8x8"])


@pytest.fixture
def continuous(folders):
    return CosmosVideoTokenizer.open(folders["CV8x16x16"])


def clip(frames: int = 17, size: int = 32, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", COSMOS_MODELS)
def test_every_cosmos_model_is_identified_by_its_codes(folders, name):
    made, model = CosmosVideoTokenizer.open(folders[name]), COSMOS_MODELS[name]
    assert made.config.name == name and made.codes == model.codes
    assert isinstance(made, VideoTokenizer) and bool(made.levels) == (model.codes == "discrete")
    codes = made.encode(clip(1 + 2 * model.temporal_factor))
    grid = 32 // model.spatial_factor
    assert codes.shape[:4] == (2, 3, grid, grid)
    assert codes.dtype == (torch.int64 if model.codes == "discrete" else torch.float32)
    assert made.embed(codes).shape == (2, 3, grid, grid, model.latent_channels)
    assert made.decode(codes).shape == (2, 1 + 2 * model.temporal_factor, 3, 32, 32)


def test_indices_to_digits_to_indices_is_the_identity_over_all_64000():
    # Cosmos: basis = cumprod([1] + levels[:-1]) = 1, 8, 64, 512, 2560, 12800, the first digit fastest.
    basis = torch.tensor([1, 8, 64, 512, 2560, 12800])
    indices = torch.arange(64000)
    digits = indices[:, None] // basis % torch.tensor(LEVELS)
    assert torch.equal(fsq.codes_to_digits(indices, LEVELS), digits)
    assert torch.equal(fsq.digits_to_codes(digits, LEVELS), indices)


def test_latents_of_tokens_are_decoded_like_the_tokens(discrete):
    tokens = discrete.encode(clip())
    latents = discrete.embed(tokens)
    assert latents.min() >= -1 and latents.max() <= 1
    assert torch.equal(discrete.decode_latents(latents), discrete.decode(tokens))


def test_latents_between_codes_are_decoded_as_the_nearest_code(discrete):
    tokens = discrete.encode(clip())
    # The smallest step between levels is 2/7; 0.1 is less than half of it.
    assert torch.equal(discrete.decode_latents(discrete.embed(tokens) + 0.1), discrete.decode(tokens))


def test_the_encoder_receives_all_256_values_as_published_and_decoded_frames_are_in_range(folders):
    made = CosmosVideoTokenizer.open(folders["DV8x8x8"])
    received = {}

    class Recording(torch.nn.Module):
        def encode(self, frames):
            received["frames"] = frames
            return torch.zeros(1, 1, 2, 2, dtype=torch.int32), torch.zeros(1)

        def decode(self, codes):
            received["codes"] = codes
            return torch.linspace(-3, 3, 3 * 16 * 16, dtype=torch.bfloat16).view(1, 3, 1, 16, 16)

    made.codec = Recording()
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16).expand(1, 1, 3, 16, 16)
    frames = made.decode(made.encode(values.float() / 255))
    published = (2.0 * (values.double() / 255) - 1.0).to(torch.bfloat16).transpose(1, 2)
    assert torch.equal(received["frames"], published) and received["codes"].dtype == torch.int32
    assert frames.min() == 0 and frames.max() == 1 and frames.dtype == torch.float32


@pytest.mark.parametrize("name", ["DV8x8x8", "CV8x8x8"])
def test_the_result_does_not_depend_on_max_frames(folders, name):
    made, frames = CosmosVideoTokenizer.open(folders[name]), clip(batch=5)
    whole = made.encode(frames)
    rebuilt = made.decode(whole)
    files, calls = made.codec, []

    class Counting(torch.nn.Module):
        def encode(self, frames):
            calls.append(len(frames))
            return files.encode(frames)

        def decode(self, codes):
            calls.append(len(codes))
            return files.decode(codes)

    made.codec = Counting()
    made.max_frames = 2 * 17 + 3  # two clips
    assert torch.equal(made.encode(frames), whole) and torch.equal(made.decode(whole), rebuilt)
    made.max_frames = 1  # at least one clip
    assert torch.equal(made.encode(frames), whole)
    assert calls == [2, 2, 1, 2, 2, 1, 1, 1, 1, 1, 1]


def test_codes_do_not_depend_on_autocast_or_on_the_number_of_earlier_calls(discrete):
    frames = clip()
    first = discrete.encode(frames)
    with torch.autocast("cpu", torch.bfloat16):
        repeated = [discrete.encode(frames) for _ in range(4)]
    assert all(torch.equal(first, codes) for codes in repeated)


def test_encoding_a_prefix_gives_a_prefix_of_the_codes(discrete, continuous):
    for made in (discrete, continuous):
        frames = clip()
        assert torch.equal(made.encode(frames)[:, :2], made.encode(frames[:, :9]))


def test_an_encoder_that_looks_ahead_is_rejected(tmp_path):
    for name in ("DV8x8x8", "CV8x8x8"):
        with pytest.raises(BadCheckpoint, match="does not look ahead in time"):
            CosmosVideoTokenizer.open(cosmos_folder(tmp_path / "download", name, causal=False))


@pytest.mark.parametrize("frames", [0, 8, 10])
def test_a_clip_that_is_not_one_plus_8k_frames_is_rejected(discrete, frames):
    with pytest.raises(BadInput, match=r"1 \+ k \* 8 frames, got"):
        discrete.encode(clip(frames))


def test_a_frame_size_that_is_no_multiple_of_the_factor_is_rejected(continuous):
    with pytest.raises(BadInput, match="multiples of 16, got 24x24"):
        continuous.encode(clip(size=24))


def test_measured_statistics_normalise_latents_and_change_decoded_frames_by_rounding_only(continuous):
    frames = clip(batch=8)
    raw = continuous.encode(frames)
    before = continuous.decode(raw)
    assert continuous.needs_statistics
    continuous.fit_statistics([frames[:3], frames[3:]])
    codes = continuous.encode(frames).flatten(0, -2)
    assert not continuous.needs_statistics
    torch.testing.assert_close(codes.mean(0), torch.zeros(16), rtol=0, atol=1e-4)
    torch.testing.assert_close(codes.std(0), torch.ones(16), rtol=0, atol=1e-4)
    # The latents go through bfloat16, 8 bits of mantissa.
    torch.testing.assert_close(continuous.decode(continuous.encode(frames)), before, rtol=0, atol=2e-2)
    config = continuous.config
    continuous.fit_statistics([frames[:3], frames[3:]])
    assert continuous.config == config, "statistics are measured on latents at the scale of the file"


def test_files_with_another_sha256_are_rejected(folders, discrete, tmp_path):
    config = CosmosTokenizerConfig.parse(discrete.config.plain())
    build_tokenizer(config, files=folders["DV8x8x8"])
    other = cosmos_folder(tmp_path / "other", "DV8x8x8", seed=1)
    with pytest.raises(BadCheckpoint, match=f"encoder.jit of Cosmos DV8x8x8, sha256 {config.sha256['encoder.jit']}"):
        build_tokenizer(config, files=other)
    with pytest.raises(BadCheckpoint, match=f"sha256 {config.sha256['encoder.jit']}, got no such file"):
        build_tokenizer(config, files=tmp_path / "nowhere")


def test_a_folder_named_after_another_model_is_rejected(tmp_path):
    with pytest.raises(BadCheckpoint, match="expected DV8x16x16, as the folder's name states, got DV8x8x8"):
        CosmosVideoTokenizer.open(cosmos_folder(tmp_path / "Cosmos-1.0-Tokenizer-DV8x16x16", "DV8x8x8"))


def test_an_encoder_and_a_decoder_of_different_models_are_rejected(folders, tmp_path):
    folder = cosmos_folder(tmp_path / "mixed", "DV8x8x8")
    (folder / "decoder.jit").write_bytes((folders["DV8x16x16"] / "decoder.jit").read_bytes())
    with pytest.raises(BadCheckpoint, match=r"expected CV4x8x8 or .* decoded from"):
        CosmosVideoTokenizer.open(folder)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_file_that_is_not_torchscript_is_rejected(tmp_path, content):
    folder = cosmos_folder(tmp_path / "download")
    (folder / "encoder.jit").write_bytes(content)
    with pytest.raises(BadCheckpoint, match="git-lfs"):
        CosmosVideoTokenizer.open(folder)


def test_a_folder_with_only_the_autoencoder_is_rejected(tmp_path):
    (tmp_path / "autoencoder.jit").touch()
    with pytest.raises(BadCheckpoint, match=r"got only autoencoder\.jit, which gives no codes"):
        CosmosVideoTokenizer.open(tmp_path)


def test_files_that_fail_are_rejected_with_their_error(tmp_path):
    folder = cosmos_folder(tmp_path / "download")

    class Failing(torch.nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            assert frames.is_cuda, "only on a GPU"
            return frames

    torch.jit.save(torch.jit.script(Failing()), str(folder / "encoder.jit"))
    with pytest.raises(BadCheckpoint, match=r"only on a GPU.*try device cuda"):
        CosmosVideoTokenizer.open(folder)


def test_the_cosmos_package_is_used_if_installed_and_gives_the_same_codes(folders, discrete, monkeypatch):
    class CausalVideoTokenizer(TorchScriptCodec):
        """The package drops the last output of the encoder."""

        def encode(self, frames):
            return self.encoder(frames)[:-1]

    package, library = ModuleType("cosmos_tokenizer"), ModuleType("cosmos_tokenizer.video_lib")
    library.CausalVideoTokenizer = CausalVideoTokenizer
    monkeypatch.setitem(sys.modules, "cosmos_tokenizer", package)
    monkeypatch.setitem(sys.modules, "cosmos_tokenizer.video_lib", library)
    other = CosmosVideoTokenizer.open(folders["DV8x8x8"])
    assert type(other.codec) is CausalVideoTokenizer
    assert torch.equal(other.encode(clip()), discrete.encode(clip()))


def test_float32_is_recorded_in_the_configuration(folders):
    made = CosmosVideoTokenizer.open(folders["DV8x8x8"], dtype="float32")
    assert made.config.dtype == "float32" and next(made.parameters()).dtype == torch.float32
    assert build_tokenizer(made.config, files=folders["DV8x8x8"]).config == made.config
