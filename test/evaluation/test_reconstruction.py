"""The reconstruction of tokenizers: errors, code statistics, long videos, and the command."""

import json
import math

import numpy as np
import pytest
import torch
from command import hwm
from small_training import episode
from torch.utils.data import DataLoader

from hwm_core.data.batches import FrameBatch, stack
from hwm_core.data.episodes.store import write_episode
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadInput
from hwm_core.evaluation.reconstruction import measure, reconstruct
from hwm_core.evaluation.reconstruction_report import reconstruction_examples, reconstruction_json
from hwm_core.metrics.ssim import frame_ssim
from hwm_core.tokenizers import build_tokenizer
from hwm_core.tokenizers.codebook_usage import codebook_usage
from hwm_core.world_model.checkpoint import save_tokenizer

SMALL = {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1}


@pytest.fixture(scope="module")
def windows():
    return Windows([episode("one", 0)], None, 1, 16, stride=5)


class Fading(torch.nn.Module):
    """Decodes frame f of a window f levels of 255 too dark. The codes are the mean brightness in 4 levels."""

    temporal_factor, spatial_factor, levels, latent_channels = 8, 16, (4,), 1
    kind, codes, config = "fading", "discrete", None

    def encode(self, frames):
        self.seen = frames
        return (frames[:, ::8].mean((2, 3, 4)) * 4).long().clamp(0, 3)[..., None, None]

    def decode(self, codes):
        return self.seen - torch.arange(self.seen.shape[1]).view(1, -1, 1, 1, 1) / 255

    def embed(self, codes):
        return codes[..., None].float()

    decode_latents = decode


def test_errors_are_reported_by_frame_and_by_latent():
    bright = FrameBatch(torch.full((3, 17, 3, 16, 16), 200, dtype=torch.uint8), torch.zeros(3, 17, 0))
    found = measure(Fading(), [bright, bright], clock=iter(range(9)).__next__)
    assert found.mse.shape == found.ssim.shape == (6, 17)
    np.testing.assert_allclose(found.mse[0], (np.arange(17) / 255) ** 2, atol=1e-9)
    numbers = reconstruction_json(found)
    assert numbers["frames"][0]["psnr_db"] == 60.0 and list(numbers["latents"]) == ["0", "1-8", "9-16"]
    # Frame 16 is 16/255 too dark: -20 log10(16 / 255) = 24.05 dB.
    assert numbers["frames"][16]["psnr_db"] == pytest.approx(24.05, abs=0.01)
    # 6 windows of 3 latents, one cell each; the clock ticks once between marks: 51 frames a second.
    assert numbers["codes_per_frame"] == pytest.approx(3 / 17) and found.encode_hz == found.decode_hz == 51
    assert numbers["bits_per_frame"] == pytest.approx(2 * 3 / 17)


def test_code_use_has_the_entropy_and_the_entropy_given_the_latent_before():
    # One digit of 4 levels: latent 1 repeats latent 0, or is its complement. The latent before determines it.
    first = torch.arange(4).view(4, 1, 1, 1)
    use = codebook_usage(torch.cat([first, first], dim=1), (4,))
    assert (use.num_codes, use.codebook_size, use.codes_used, use.repeated) == (8, 4, 4, 1.0)
    assert use.entropy_bits == pytest.approx(2.0) and use.digit_evenness == pytest.approx((1.0,))
    assert use.conditional_entropy_bits == pytest.approx(0.0)
    assert codebook_usage(torch.cat([first, 3 - first], dim=1), (4,)).repeated == 0.0
    generator = torch.Generator().manual_seed(0)
    noise = codebook_usage(torch.randint(0, 4, (2000, 2, 2, 2), generator=generator), (4,))
    assert noise.conditional_entropy_bits == pytest.approx(2.0, abs=0.01) and noise.repeated == pytest.approx(
        0.25, abs=0.02
    )


def test_a_single_code_has_no_entropy_and_no_evenness():
    use = codebook_usage(torch.zeros(2, 3, 4, 4, dtype=torch.long), (8, 5))
    assert (use.codes_used, use.entropy_bits, use.conditional_entropy_bits, use.digit_evenness) == (
        1,
        0.0,
        0.0,
        (0.0, 0.0),
    )


def test_ssim_is_one_for_equal_frames_and_lower_for_noise_than_for_brightness():
    generator = np.random.default_rng(0)
    truth = generator.integers(50, 200, (2, 3, 32, 32, 3), dtype=np.uint8)
    noisy = (truth + generator.normal(0, 10, truth.shape)).clip(0, 255).astype(np.uint8)
    assert np.allclose(frame_ssim(truth, truth), 1.0) and frame_ssim(truth, truth).shape == (2, 3)
    assert (frame_ssim(truth + 10, truth) > frame_ssim(noisy, truth)).all()


@pytest.mark.parametrize("frames", [17, 20, 41])
def test_a_long_video_is_reconstructed_in_windows_and_keeps_its_length(frames):
    made = build_tokenizer({"kind": "patch", "temporal_factor": 8, "spatial_factor": 4, "colours": 2})
    generator = torch.Generator().manual_seed(0)
    patches = torch.randint(0, 2, (frames, 4, 4, 3), generator=generator, dtype=torch.uint8) * 255
    video = patches.repeat_interleave(4, 1).repeat_interleave(4, 2).numpy()
    assert np.array_equal(np.concatenate(list(reconstruct(made, video))), video)  # the tokenizer is lossless
    with pytest.raises(BadInput, match="clip length"):
        list(reconstruct(made, video, window=16))


def test_the_examples_are_the_worst_the_median_and_the_best_window(windows):
    made = build_tokenizer({"kind": "patch", "temporal_factor": 8})
    found = measure(made, DataLoader(windows, 4, collate_fn=stack))
    shown = reconstruction_examples(made, windows, found.mse)
    means = [float(example.notes[0].split()[1]) for example in shown]
    assert len(shown) == 3 and means == sorted(means) and shown[0].strips[0].label == "reconstruction"


@pytest.mark.parametrize("kind", ["causal", "continuous"])
def test_the_command_accepts_any_tokenizer(tmp_path, kind, capsys):
    for split, some in {"training": episode("one", 0), "validation": episode("two", 1)}.items():
        write_episode(tmp_path / "store" / split, some, Preprocessing(source_aspect=1.0, height=16, width=16))
    save_tokenizer(tmp_path / "tokenizer", build_tokenizer({"kind": kind, "spatial_factor": 4, **SMALL}))
    out = tmp_path / "report"
    base = ["--store", str(tmp_path / "store"), "--tokenizer", str(tmp_path / "tokenizer"), "--out", str(out)]
    assert hwm("reconstruct", *base, "--latents", "3", "--video") == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"reconstruction.json", "table.md", "contact_sheet.png", "reconstruction.mp4"}
    found = json.loads((out / "reconstruction.json").read_text())
    assert found["windows"] == 5 and found["codes_per_frame"] == pytest.approx(3 * 16 / 17)  # starts 0, 5, .. 20 of 40
    assert (found["codes"] is None) == (kind == "continuous")
    bits = None if kind == "continuous" else pytest.approx(3 * 16 / 17 * math.log2(64000))
    assert found["bits_per_frame"] == bits
    assert (out / "table.md").read_text() in capsys.readouterr().out


def test_a_missing_tokenizer_is_rejected(tmp_path, capsys):
    assert hwm("reconstruct", "--store", tmp_path, "--tokenizer", tmp_path, "--out", tmp_path / "out") == 2
    assert "tokenizer.yaml: expected a readable file" in capsys.readouterr().err
