"""Pipeline folders of Wan 2.2 at any size, with the classes and the layout of the download."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

VAE: Mapping[str, Any] = {  # 4x8x8; the download is 4x16x16 with one more level
    "base_dim": 16,
    "decoder_base_dim": 16,
    "z_dim": 8,
    "dim_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True, True],  # their spelling
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 8,
}
TRANSFORMER: Mapping[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 4,
    "attention_head_dim": 24,
    "text_dim": 32,
    "freq_dim": 64,
    "ffn_dim": 256,
    "num_layers": 4,
    "rope_max_seq_len": 32,
}


def untrained_vae(channels: int = 8, **changes: Any) -> AutoencoderKLWan:
    """A VAE with random weights, whose latents are not normalised."""
    settings = {**VAE, "z_dim": channels, **changes}
    return AutoencoderKLWan(**settings, latents_mean=[0.0] * channels, latents_std=[1.0] * channels)


def untrained_transformer(channels: int = 8, **changes: Any) -> WanTransformer3DModel:
    """A transformer with random weights."""
    return WanTransformer3DModel(**{**TRANSFORMER, "in_channels": channels, "out_channels": channels, **changes})


def write_pipeline(folder: Path, transformer: WanTransformer3DModel, vae: AutoencoderKLWan) -> Path:
    """Write the folder of a pipeline; its text encoder has random weights of the transformer's text width."""
    transformer.save_pretrained(str(folder / "transformer"))
    vae.save_pretrained(str(folder / "vae"))
    words = Tokenizer(WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    words.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(str(folder / "tokenizer"))
    torch.manual_seed(0)
    width = transformer.config.text_dim
    config = UMT5Config(vocab_size=8, d_model=width, d_kv=8, d_ff=width, num_layers=1, num_heads=2)
    UMT5EncoderModel(config).save_pretrained(str(folder / "text_encoder"))
    return folder
