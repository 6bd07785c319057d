"""Pretrained files of Wan that are damaged or incomplete: an error, never a network that is partly random."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from wan_models import SIZES, saved_pipeline

from hwm_core.errors import BadCheckpoint
from hwm_core.models.wan_base import open_model, prompt_embedding, settings_of
from hwm_core.models.wan_config import WanConfig
from hwm_core.tokenizers.wan import WanVideoTokenizer

Damage = Callable[[Path], None]


def open_transformer(pipeline: Path) -> None:
    folder = pipeline / "transformer"
    open_model(WanConfig.parse({**SIZES, **settings_of(folder)}), folder)


def open_vae(pipeline: Path) -> None:
    WanVideoTokenizer.open(pipeline / "vae")


def open_prompt(pipeline: Path) -> None:
    prompt_embedding(pipeline, 8)


OPEN = {"transformer": open_transformer, "vae": open_vae, "text_encoder": open_prompt, "tokenizer": open_prompt}


def weights_of(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def without_a_tensor(folder: Path) -> None:
    path = weights_of(folder)
    tensors = load_file(path)
    del tensors[max(tensors)]  # the last in order
    save_file(tensors, path, metadata={"format": "pt"})


def cut_in_half(folder: Path) -> None:
    path = weights_of(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def with_settings(**changes: object) -> Damage:
    def damage(folder: Path) -> None:
        settings = json.loads((folder / "config.json").read_text()) | changes
        settings = {key: value for key, value in settings.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(settings))

    return damage


def with_a_bad_index(folder: Path) -> None:
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text("{}")


@pytest.mark.parametrize(
    ("part", "damage", "message"),
    [
        ("transformer", without_a_tensor, "WanTransformer3DModel, got no weights for 1 of its parameters: scale_shift"),
        ("transformer", with_settings(num_layers=3), r"parameters: blocks\.2\.attn1"),  # of 2
        ("transformer", cut_in_half, "Unable to load weights"),
        (
            "transformer",
            with_settings(patch_size=None),
            "config.json: expected the keys patch_size, .* got no patch_size",
        ),
        ("transformer", with_a_bad_index, 'index of weights, with "weight_map", got a damaged file'),
        ("vae", without_a_tensor, "AutoencoderKLWan, got no weights for 1 of its parameters"),
        ("vae", cut_in_half, "Unable to load weights"),
        ("vae", with_settings(latents_std=None), "got no latents_std"),
        (
            "text_encoder",
            without_a_tensor,
            "UMT5EncoderModel, got no weights for 2 of its parameters: encoder.embed_tokens",
        ),
        ("text_encoder", cut_in_half, "text_encoder: expected all weights of the class UMT5EncoderModel"),
        ("text_encoder", empty, "text_encoder: expected all weights of the class UMT5EncoderModel"),
        ("tokenizer", empty, r"tokenizer: expected the tokenizer of the text encoder: tokenizer\.json"),
    ],
)
def test_damaged_or_incomplete_files_are_rejected(tmp_path: Path, part: str, damage: Damage, message: str) -> None:
    pipeline = shutil.copytree(saved_pipeline(), tmp_path / "pipeline")
    damage(pipeline / part)
    with pytest.raises(BadCheckpoint, match=message):
        OPEN[part](pipeline)
