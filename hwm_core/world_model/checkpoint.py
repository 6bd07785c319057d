"""Checkpoints: a folder with everything that is needed to use a world model, and nothing that only training needs.

`checkpoint.yaml` describes the model, its tokenizer, the robot (action manifest) and the camera (preprocessing). It
contains the sha256 of the two weight files in the same folder. Weights are bfloat16; those of the model may be
float32. A folder with `tokenizer.yaml` and `tokenizer.safetensors` contains only a tokenizer.

The weights of an external tokenizer (Cosmos, Wan) are not copied. The YAML contains the sha256 of its files; the
symbolic link `tokenizer` in the folder points to these files. In the same way the link `base` points to the frozen
weights of a pretrained network (Wan). A model that was trained on codes without their tokenizer has `tokenizer: null`:
it predicts codes that cannot be decoded to frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, spec_of
from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.io.atomic import replaced_folder
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer
from hwm_core.tokenizers.cosmos import CosmosVideoTokenizer
from hwm_core.tokenizers.cosmos_files import is_cosmos_folder
from hwm_core.tokenizers.registry import TOKENIZERS
from hwm_core.tokenizers.wan import WanVideoTokenizer, is_wan_folder
from hwm_core.world_model.checkpoint_files import (
    CHECKPOINT_HEADER,
    MODEL_WEIGHTS,
    TOKENIZER_HEADER,
    TOKENIZER_WEIGHTS,
    CheckpointHeader,
    TokenizerHeader,
    WeightType,
    as_checkpoint_error,
    checkpoint_folder,
    read_header,
    read_weights,
    write_header,
    write_weights,
)
from hwm_core.world_model.registry import build_model, family

_LINK, _BASE_LINK = "tokenizer", "base"


@dataclass(frozen=True)
class Checkpoint:
    """A world model with its tokenizer, robot and camera."""

    name: str
    family: str
    model: WorldModelNetwork
    tokenizer: VideoTokenizer | None  # frozen; None if the model was trained on codes without their tokenizer
    manifest: ActionManifest
    preprocessing: Preprocessing
    metadata: Mapping[str, Any] = field(default_factory=dict)  # steps, recipe, revision, ...; plain YAML types
    weights: WeightType = "bfloat16"  # of the file of the model; the tokenizer's is always bfloat16
    sha256: str = ""  # of checkpoint.yaml, which contains the sha256 of all weights; set by loading

    @property
    def tokenizer_spec(self) -> TokenizerSpec | None:
        """The tokenizer whose codes the model predicts; None if neither `metadata` nor `tokenizer` states it.

        Raises BadConfig for an invalid entry in `metadata`.
        """
        if "tokenizer_spec" in self.metadata:
            where = f"checkpoint {self.name}: tokenizer_spec"
            return TokenizerSpec.parse(self.metadata["tokenizer_spec"], where=where)
        return None if self.tokenizer is None else spec_of(self.tokenizer)


def save_checkpoint(directory: str | Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` and replace `directory` atomically; `checkpoint.sha256` is not used."""
    tokenizer = checkpoint.tokenizer
    with replaced_folder(directory) as partial:
        weights = {MODEL_WEIGHTS: write_weights(partial / MODEL_WEIGHTS, checkpoint.model, checkpoint.weights)}
        if checkpoint.model.folder is not None:
            (partial / _BASE_LINK).symlink_to(checkpoint.model.folder.resolve(), target_is_directory=True)
        if tokenizer is not None:
            weights |= _write_tokenizer(partial, tokenizer)
        header = CheckpointHeader(
            name=checkpoint.name,
            family=checkpoint.family,
            model=checkpoint.model.config.plain(),
            tokenizer=None if tokenizer is None else tokenizer.config.plain(),
            manifest=checkpoint.manifest,
            preprocessing=checkpoint.preprocessing,
            metadata=dict(checkpoint.metadata),
            weights=weights,
        )
        write_header(partial / CHECKPOINT_HEADER, header)


def load_checkpoint(
    directory: str | Path, device: torch.device | str = "cpu", tokenizer: str | Path | None = None
) -> Checkpoint:
    """Read a checkpoint; its modules are float32 (but a pretrained base as configured) and in evaluation mode.

    Args:
        directory: a folder, or the name of a shipped checkpoint.
        tokenizer: the folder of the external tokenizer; default: the target of the link in `directory`.

    Raises:
        BadCheckpoint: the checkpoint is missing, truncated, modified, of another format or an unknown family, or its
            parts do not match; the external tokenizer or the pretrained base is missing or has other files.
    """
    directory = checkpoint_folder(directory)
    header, sha256 = read_header(directory / CHECKPOINT_HEADER, CheckpointHeader)
    try:
        base = directory / _BASE_LINK if family(header.family).pretrained else None
        model = build_model(header.family, header.model, base, device)
        coder = None
        if header.tokenizer is not None:
            coder = _build_tokenizer(directory, header.tokenizer, device, tokenizer)
            family(header.family).check_tokenizer(coder)
    except BadConfig as error:
        raise as_checkpoint_error(directory, error) from None
    _check_fit(directory, model, coder, header)
    weights = read_weights(directory / MODEL_WEIGHTS, header.weights, model)
    if coder is not None:
        _read_tokenizer_weights(directory, header.weights, coder)
    return Checkpoint(
        name=header.name,
        family=header.family,
        model=model.to(device).eval(),
        tokenizer=None if coder is None else coder.to(device).eval().requires_grad_(False),
        manifest=header.manifest,
        preprocessing=header.preprocessing,
        metadata=header.metadata,
        weights=weights,
        sha256=sha256,
    )


def save_tokenizer(directory: str | Path, tokenizer: VideoTokenizer) -> None:
    """Write only a tokenizer, as bfloat16, and replace `directory` atomically."""
    with replaced_folder(directory) as partial:
        weights = _write_tokenizer(partial, tokenizer)
        header = TokenizerHeader(tokenizer=tokenizer.config.plain(), weights=weights)
        write_header(partial / TOKENIZER_HEADER, header)


def load_tokenizer(directory: str | Path, device: torch.device | str = "cpu") -> VideoTokenizer:
    """Read a tokenizer, float32 and frozen, from its own folder, a checkpoint, or a download of Cosmos or Wan.

    Raises BadCheckpoint as `load_checkpoint` does.
    """
    directory = checkpoint_folder(directory)
    alone, of_checkpoint = directory / TOKENIZER_HEADER, directory / CHECKPOINT_HEADER
    if not alone.exists() and is_cosmos_folder(directory):
        return CosmosVideoTokenizer.open(directory, device).eval()
    if not alone.exists() and is_wan_folder(directory):
        return WanVideoTokenizer.open(directory, device).eval()
    header: TokenizerHeader | CheckpointHeader
    if alone.exists() or not of_checkpoint.exists():
        header, _ = read_header(alone, TokenizerHeader)
    else:
        header, _ = read_header(of_checkpoint, CheckpointHeader)
    if header.tokenizer is None:
        raise BadCheckpoint(
            str(directory),
            expected="a tokenizer",
            got="a checkpoint without one: its model was trained on codes alone",
            remedy="Use the folder of the tokenizer that encoded these codes.",
        )
    try:
        tokenizer = _build_tokenizer(directory, header.tokenizer, device)
    except BadConfig as error:
        raise as_checkpoint_error(directory, error) from None
    _read_tokenizer_weights(directory, header.weights, tokenizer)
    return tokenizer.to(device).eval().requires_grad_(False)


def _write_tokenizer(folder: Path, tokenizer: VideoTokenizer) -> dict[str, str]:
    """Write the weights, or a link to the files of an external tokenizer; returns {weight file: sha256}."""
    if tokenizer.folder is None:
        return {TOKENIZER_WEIGHTS: write_weights(folder / TOKENIZER_WEIGHTS, tokenizer)}
    (folder / _LINK).symlink_to(tokenizer.folder.resolve(), target_is_directory=True)
    return {}


def _build_tokenizer(
    directory: Path, config: Mapping[str, Any], device: torch.device | str, files: str | Path | None = None
) -> VideoTokenizer:
    """A tokenizer: an external tokenizer with its weights, another tokenizer without weights."""
    kind = TOKENIZERS.get(str(config.get("kind")))
    if kind is not None and kind.external:
        return build_tokenizer(config, files=Path(files or directory / _LINK), device=device)
    if files is not None:
        raise BadCheckpoint(
            f"{directory}: tokenizer",
            expected="no folder, because the checkpoint contains its tokenizer",
            got=str(files),
            remedy="Leave out the folder.",
        )
    return build_tokenizer(config)


def _read_tokenizer_weights(directory: Path, sums: Mapping[str, str], tokenizer: VideoTokenizer) -> None:
    if tokenizer.folder is None:
        read_weights(directory / TOKENIZER_WEIGHTS, sums, tokenizer)


def _check_fit(
    directory: Path, model: WorldModelNetwork, tokenizer: VideoTokenizer | None, header: CheckpointHeader
) -> None:
    """Raises BadCheckpoint if the model does not match the tokenizer, camera or robot of the header."""
    parts: dict[str, tuple[object, object]] = {"action dimension": (model.config.action_dim, header.manifest.dim)}
    if tokenizer is not None:
        frame = (header.preprocessing.height, header.preprocessing.width)
        codes = family(header.family).codes_field
        parts |= {
            codes.replace("_", " "): (getattr(model.config, codes), getattr(tokenizer, codes)),
            "temporal factor": (model.config.temporal_factor, tokenizer.temporal_factor),
            "grid": (model.config.grid, tuple(size // tokenizer.spatial_factor for size in frame)),
        }
    for what, (of_model, of_others) in parts.items():
        if of_model != of_others:
            raise BadCheckpoint(
                f"{directory}: {what}",
                expected=f"the model's {of_model}",
                got=f"{of_others} of tokenizer, camera or robot",
                remedy="Use the tokenizer, preprocessing and manifest with which the model was trained.",
            )
