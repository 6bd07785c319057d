"""The pretrained files of a Wan model: a pipeline folder of diffusers on this machine.

`transformer` is the base of the model, and `text_encoder` and `tokenizer` give the embedding of the empty prompt. The
folder `vae` is the video tokenizer (`tokenizers.wan`).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_config import WanConfig
from hwm_core.models.wan_memory import require_memory, weight_bytes
from hwm_core.pretrained import check_sums, import_extra, open_network, read_settings, sums

TRANSFORMER, TEXT_ENCODER, TOKENIZER = "transformer", "text_encoder", "tokenizer"
_NETWORK = "WanTransformer3DModel"
_KEYS = (
    *("patch_size", "in_channels", "out_channels", "num_attention_heads", "attention_head_dim", "num_layers"),
    *("ffn_dim", "text_dim", "freq_dim"),
)
_OTHER_BASE = (
    "Give the folder with which the model was trained: as a link `base` in the checkpoint's folder, or as --base."
)


def settings_of(folder: Path) -> dict[str, Any]:
    """The keys of `WanConfig` that the transformer in `folder` decides.

    Raises:
        BadCheckpoint: no such folder, without weights, or of a Wan model that takes other inputs.
    """
    given = read_settings(folder, _NETWORK, _KEYS)
    time, rows, columns = given["patch_size"]
    wanted = {
        "a patch of one latent and of equal sides": time == 1 and rows == columns,
        "as many output as input channels": given["in_channels"] == given["out_channels"],
        "no image embedding": given.get("image_dim") is None and given.get("added_kv_proj_dim") is None,
    }
    if missing := [what for what, found in wanted.items() if not found]:
        raise BadCheckpoint(
            str(folder),
            expected=f"the transformer of Wan 2.2 TI2V: {', '.join(missing)}",
            got=f"patch {given['patch_size']}, {given['in_channels']} input and {given['out_channels']} output "
            "channels",
            remedy="Use Wan2.2-TI2V-5B; the 14B models have two transformers and other inputs.",
        )
    dim = given["num_attention_heads"] * given["attention_head_dim"]
    return {
        "dim": dim,
        "depth": given["num_layers"],
        "num_heads": given["num_attention_heads"],
        "mlp_ratio": given["ffn_dim"] / dim,
        "latent_channels": given["in_channels"],
        "patch": rows,
        "text_dim": given["text_dim"],
        "freq_dim": given["freq_dim"],
        "base_sha256": sums(folder),
    }


def open_model(config: WanConfig, folder: Path | None = None, device: torch.device | str = "cpu") -> WanWorldModel:
    """A model over the transformer in `folder`; without a folder, over random weights of the same sizes.

    Raises:
        BadConfig: the folder has another architecture, the memory does not suffice, or the extra is not installed.
        BadCheckpoint: the folder has no weights, or weights of another sha256.
    """
    if folder is None:
        if config.base_sha256:
            raise BadConfig(
                "Wan model", expected="the folder of its pretrained transformer", got="none", remedy=_OTHER_BASE
            )
        return WanWorldModel(config)
    read_settings(folder, _NETWORK, remedy=_OTHER_BASE)
    check_sums(folder, config.base_sha256, "the base of this model", _OTHER_BASE)
    for key, value in settings_of(folder).items():
        if (mine := getattr(config, key)) != value:
            raise BadConfig(f"{folder}: {key}", expected=mine, got=value, remedy=_OTHER_BASE)
    require_memory(weight_bytes(config), device, f"the weights in {folder}")
    code = import_extra("hwm_core.models.wan_transformer")
    return WanWorldModel(config, code.open_transformer(folder, config.base_dtype), folder)


@torch.inference_mode()
def prompt_embedding(pipeline: Path, text_length: int, device: torch.device | str = "cpu") -> Tensor:
    """The text encoder's output for the empty prompt, float32 [L, text_dim], as diffusers' pipeline computes it.

    The text encoder of Wan (UMT5-XXL) has 5.7 billion parameters and is needed only here.

    Raises BadCheckpoint: the folder lacks the text encoder or its tokenizer, or they are damaged or incomplete.
    """
    transformers = import_extra("transformers")
    for name in (TEXT_ENCODER, TOKENIZER):
        if not (pipeline / name).is_dir():
            raise BadCheckpoint(
                str(pipeline / name),
                expected="the folders text_encoder and tokenizer of the pipeline, for the empty prompt",
                got="no such folder",
                remedy="Download them too, or start from a trained checkpoint with --init.",
            )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(pipeline / TOKENIZER), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadCheckpoint(
            str(pipeline / TOKENIZER),
            expected="the tokenizer of the text encoder: tokenizer.json and its settings",
            got=str(error).strip().splitlines()[0],
            remedy="Download the folder again, completely.",
        ) from None
    encoder = open_network(transformers.UMT5EncoderModel, pipeline / TEXT_ENCODER, dtype=torch.bfloat16).to(device)
    words = tokenizer([""], padding="max_length", max_length=text_length, truncation=True, return_tensors="pt")
    mask = words["attention_mask"].to(device)
    embedded: Tensor = encoder.eval()(words["input_ids"].to(device), mask).last_hidden_state
    return embedded[0, : int(mask.sum())].float().clone()
