"""The files of a checkpoint: a YAML header of a known format, and weight files that match its sha256 sums."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import safetensors
import safetensors.torch
import torch
import yaml
from torch import nn

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.config import Config
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadCheckpoint, BadConfig, did_you_mean, nearest_path
from hwm_core.io.atomic import readable_folder

WeightType = Literal["bfloat16", "float32"]
FORMAT = 2
CHECKPOINT_HEADER, TOKENIZER_HEADER = "checkpoint.yaml", "tokenizer.yaml"
MODEL_WEIGHTS, TOKENIZER_WEIGHTS = "model.safetensors", "tokenizer.safetensors"
_COPY_AGAIN = "The checkpoint is damaged or incomplete: copy it again, or export it again from its run."


class TokenizerHeader(Config):
    """`tokenizer.yaml`."""

    format: int = FORMAT
    tokenizer: dict[str, Any]
    weights: dict[str, str]  # file name -> sha256


class CheckpointHeader(Config):
    """`checkpoint.yaml`."""

    format: int = FORMAT
    tokenizer: dict[str, Any] | None
    weights: dict[str, str]  # file name -> sha256
    name: str
    family: str
    model: dict[str, Any]
    manifest: ActionManifest
    preprocessing: Preprocessing
    metadata: dict[str, Any]


H = TypeVar("H", TokenizerHeader, CheckpointHeader)


def write_header(path: Path, header: Config) -> None:
    """Write `header` as YAML, flushed to the disk."""
    _write(path, yaml.safe_dump(header.plain(), sort_keys=False, default_flow_style=None, width=120).encode())


def checkpoint_folder(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint or tokenizer, by path or by shipped name. Raises BadCheckpoint: absent."""
    folder = readable_folder(checkpoint_path(name_or_path))
    if not folder.exists():
        raise BadCheckpoint(
            f"Checkpoint {name_or_path}",
            expected=f"a folder, or one of {', '.join(SHIPPED)}",
            got="nothing there",
            remedy=did_you_mean(name_or_path, SHIPPED, nearest_path(folder, "Check the path.")),
        )
    return folder


def read_header(path: Path, kind: type[H]) -> tuple[H, str]:
    """A header, and the sha256 of its bytes. Raises BadCheckpoint if it is missing, damaged, or of another format."""
    data = _read(path)
    try:
        mapping = yaml.safe_load(data)
        _check_format(path, mapping)
        return kind.parse(mapping, where=path.name), hashlib.sha256(data).hexdigest()
    except yaml.YAMLError as error:
        got = "invalid YAML: " + str(error).replace("\n", " ")
        raise BadCheckpoint(str(path), expected="a checkpoint's YAML", got=got, remedy=_COPY_AGAIN) from None
    except BadConfig as error:
        raise as_checkpoint_error(path.parent, error) from None


def write_weights(path: Path, module: nn.Module, kind: WeightType = "bfloat16") -> str:
    """Write the state of `module`; returns the sha256 of the file."""
    dtype: torch.dtype = getattr(torch, kind)
    state = {name: value.detach() for name, value in module.state_dict().items()}
    weights = {
        name: (value.to(dtype) if value.is_floating_point() else value).cpu().contiguous()
        for name, value in state.items()
    }
    data = safetensors.torch.save(weights)
    _write(path, data)
    return hashlib.sha256(data).hexdigest()


def read_weights(path: Path, sums: Mapping[str, str], module: nn.Module) -> WeightType:
    """Load the state of `module`; returns the type of the weights in the file.

    Raises BadCheckpoint if the file is missing, or its sha256 or weights differ.
    """
    data = _read(path)
    digest, expected = hashlib.sha256(data).hexdigest(), sums.get(path.name, "no such file")
    if digest != expected:
        raise BadCheckpoint(
            str(path), expected=f"sha256 {expected}", got=f"{digest} ({len(data)} bytes)", remedy=_COPY_AGAIN
        )
    try:
        weights = safetensors.torch.load(data)
        module.load_state_dict(weights)
    except (RuntimeError, safetensors.SafetensorError) as error:
        got = " ".join(line.strip() for line in str(error).splitlines()[:3])
        raise BadCheckpoint(
            str(path), expected="the weights that its YAML describes", got=got, remedy=_COPY_AGAIN
        ) from None
    return "float32" if any(value.dtype is torch.float32 for value in weights.values()) else "bfloat16"


def as_checkpoint_error(directory: Path, error: BadConfig) -> BadCheckpoint:
    """The BadCheckpoint for an invalid configuration in a checkpoint."""
    return BadCheckpoint(
        f"{directory}: {error.what}", expected=error.expected, got=error.got, remedy=error.remedy or _COPY_AGAIN
    )


def _check_format(path: Path, mapping: Any) -> None:
    if isinstance(mapping, dict) and mapping.get("format") != FORMAT:
        raise BadCheckpoint(
            f"{path}: key `format`",
            expected=f"{FORMAT}, the format of this version of hwm_ros",
            got=mapping.get("format", "no such key"),
            remedy="Use the version of hwm_ros that wrote the checkpoint, or train it again with this version.",
        )


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        headers = (CHECKPOINT_HEADER, TOKENIZER_HEADER)
        inside = [found.parent for found in sorted(path.parent.glob("*/*.yaml")) if found.name in headers]
        remedy = f"Did you mean {inside[0]}?" if inside else "Use the folder that contains this file."
        raise BadCheckpoint(str(path), expected="a readable file", got=error.strerror, remedy=remedy) from None
