"""Checkpoints: a folder with everything that is needed to use a world model, and nothing that only training needs.

`checkpoint.yaml` describes the model, its tokenizer, the robot (action manifest) and the camera (preprocessing), and
holds the sha256 of the two weight files beside it. Weights are bfloat16. A tokenizer alone is a folder with
`tokenizer.yaml` in place of it, and the same `tokenizer.safetensors` bytes.

An external tokenizer (Cosmos) is not copied: the YAML holds its name and the sha256 of its files, and in place of
`tokenizer.safetensors` stands a link, `tokenizer`, to the folder they were in when the checkpoint was written. A model
that was trained on codes of a tokenizer that was not at hand has `tokenizer: null` and neither of them: it predicts
codes, and nothing can paint them.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import safetensors
import safetensors.torch
import torch
import yaml
from torch import nn

from hwm_core.config import Config
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, spec_of
from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.io.atomic import readable_folder, replaced_folder
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer
from hwm_core.tokenizers.cosmos import CosmosVideoTokenizer
from hwm_core.tokenizers.cosmos_files import is_cosmos_folder
from hwm_core.tokenizers.registry import TOKENIZERS
from hwm_core.world_model.registry import build_model, family

_MODEL, _TOKENIZER, _LINK = "model.safetensors", "tokenizer.safetensors", "tokenizer"
_HEADERS = ("checkpoint.yaml", "tokenizer.yaml")
C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Checkpoint:
    """A world model and what belongs to it."""

    name: str
    family: str
    model: WorldModelNetwork
    tokenizer: VideoTokenizer | None  # frozen; None: not at hand, `metadata` says which
    manifest: ActionManifest
    preprocessing: Preprocessing
    metadata: Mapping[str, Any] = field(
        default_factory=dict
    )  # how it was made: steps, scores, revision; plain YAML types
    sha256: str = ""  # of checkpoint.yaml, and through the sums in it of all weights; set by loading

    @property
    def codes(self) -> TokenizerSpec | None:
        """Whose codes it predicts; None where neither its training nor a tokenizer at hand says it.

        Raises BadConfig for a note of the training that is none.
        """
        if "codes" in self.metadata:
            return TokenizerSpec.parse(self.metadata["codes"], where=f"checkpoint {self.name}: codes")
        return None if self.tokenizer is None else spec_of(self.tokenizer)


class _TokenizerHeader(Config):
    format: Literal[1] = 1
    tokenizer: dict[str, Any]
    weights: dict[str, str]  # file name -> sha256


class _Header(Config):
    format: Literal[1] = 1
    tokenizer: dict[str, Any] | None
    weights: dict[str, str]
    name: str
    family: str
    model: dict[str, Any]
    manifest: ActionManifest
    preprocessing: Preprocessing
    metadata: dict[str, Any]


def save_checkpoint(directory: str | Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` as bfloat16, replacing `directory` in one step; `sha256` is not written but computed anew."""
    tokenizer = checkpoint.tokenizer
    with replaced_folder(directory) as partial:
        header = _Header(
            name=checkpoint.name,
            family=checkpoint.family,
            model=checkpoint.model.config.plain(),
            tokenizer=None if tokenizer is None else tokenizer.config.plain(),
            manifest=checkpoint.manifest,
            preprocessing=checkpoint.preprocessing,
            metadata=dict(checkpoint.metadata),
            weights={
                _MODEL: _write_weights(partial / _MODEL, checkpoint.model),
                **({} if tokenizer is None else _write_tokenizer(partial, tokenizer)),
            },
        )
        _write_yaml(partial / "checkpoint.yaml", header)


def load_checkpoint(
    directory: str | Path, device: torch.device | str = "cpu", tokenizer: str | Path | None = None
) -> Checkpoint:
    """Read a checkpoint; modules are in evaluation mode, float32.

    Args:
        tokenizer: folder of its external tokenizer; by default what its link says.

    Raises:
        BadCheckpoint: absent, cut short, altered, of a newer format or an unknown family, or with parts that do not fit
            each other; an external tokenizer that is absent or another one.
    """
    directory = readable_folder(directory)
    header, digest = _read_header(directory, "checkpoint.yaml", _Header)
    try:
        model = build_model(header.family, header.model)
        coder = None
        if header.tokenizer is not None:
            coder = _build_tokenizer(directory, header.tokenizer, device, tokenizer)
            family(header.family).check_tokenizer(coder)
    except BadConfig as error:
        raise _as_checkpoint_error(directory, error) from None
    _check_fit(directory, model, coder, header)
    _read_weights(directory, _MODEL, header.weights, model)
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
        sha256=digest,
    )


def save_tokenizer(directory: str | Path, tokenizer: VideoTokenizer) -> None:
    """Write a tokenizer alone, as bfloat16, replacing `directory` in one step."""
    with replaced_folder(directory) as partial:
        weights = _write_tokenizer(partial, tokenizer)
        _write_yaml(partial / "tokenizer.yaml", _TokenizerHeader(tokenizer=tokenizer.config.plain(), weights=weights))


def load_tokenizer(directory: str | Path, device: torch.device | str = "cpu") -> VideoTokenizer:
    """Read a tokenizer, float32 and frozen: alone, out of a checkpoint, or a folder that Cosmos was downloaded to.

    Raises BadCheckpoint as `load_checkpoint` does.
    """
    directory = readable_folder(directory)
    alone, of_checkpoint = directory / "tokenizer.yaml", directory / "checkpoint.yaml"
    if not alone.exists() and is_cosmos_folder(directory):
        return CosmosVideoTokenizer.open(directory, device).eval()
    header: _TokenizerHeader | _Header
    if alone.exists() or not of_checkpoint.exists():
        header, _ = _read_header(directory, alone.name, _TokenizerHeader)
    else:
        header, _ = _read_header(directory, of_checkpoint.name, _Header)
    if header.tokenizer is None:
        raise BadCheckpoint(
            str(directory),
            expected="a tokenizer",
            got="a checkpoint without one: it was trained on codes alone",
            remedy="Name the folder of the tokenizer that made these codes.",
        )
    try:
        tokenizer = _build_tokenizer(directory, header.tokenizer, device)
    except BadConfig as error:
        raise _as_checkpoint_error(directory, error) from None
    _read_tokenizer_weights(directory, header.weights, tokenizer)
    return tokenizer.to(device).eval().requires_grad_(False)


def _write_weights(path: Path, module: nn.Module) -> str:
    """Write and return the sha256."""
    weights = {name: _half(value.detach()).cpu().contiguous() for name, value in module.state_dict().items()}
    data = safetensors.torch.save(weights)
    _write(path, data)
    return hashlib.sha256(data).hexdigest()


def _write_tokenizer(folder: Path, tokenizer: VideoTokenizer) -> dict[str, str]:
    """{file: sha256} of what was written: nothing of an external one but the link."""
    if tokenizer.folder is None:
        return {_TOKENIZER: _write_weights(folder / _TOKENIZER, tokenizer)}
    (folder / _LINK).symlink_to(tokenizer.folder, target_is_directory=True)
    return {}


def _half(value: torch.Tensor) -> torch.Tensor:
    return value.to(torch.bfloat16) if value.is_floating_point() else value


def _write_yaml(path: Path, header: Config) -> None:
    _write(path, yaml.safe_dump(header.plain(), sort_keys=False, default_flow_style=None, width=120).encode())


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_header(directory: Path, name: str, kind: type[C]) -> tuple[C, str]:
    path = directory / name
    data = _read(path)
    try:
        mapping = yaml.safe_load(data)
        return kind.parse(mapping, where=name), hashlib.sha256(data).hexdigest()
    except yaml.YAMLError as error:
        got = "no YAML: " + str(error).replace("\n", " ")
        raise BadCheckpoint(str(path), expected="a checkpoint's YAML", got=got, remedy=_COPY_AGAIN) from None
    except BadConfig as error:
        raise _as_checkpoint_error(directory, error) from None


def _read_weights(directory: Path, name: str, sums: Mapping[str, str], module: nn.Module) -> None:
    path = directory / name
    data = _read(path)
    digest, expected = hashlib.sha256(data).hexdigest(), sums.get(name, "no such file")
    if digest != expected:
        raise BadCheckpoint(
            str(path), expected=f"sha256 {expected}", got=f"{digest} ({len(data)} bytes)", remedy=_COPY_AGAIN
        )
    try:
        module.load_state_dict(safetensors.torch.load(data))
    except (RuntimeError, safetensors.SafetensorError) as error:
        got = " ".join(line.strip() for line in str(error).splitlines()[:3])
        raise BadCheckpoint(str(path), expected="the weights its YAML describes", got=got, remedy=_COPY_AGAIN) from None


def _build_tokenizer(
    directory: Path, described: Mapping[str, Any], device: torch.device | str, files: str | Path | None = None
) -> VideoTokenizer:
    """An external one with its weights, another as it is initialised."""
    row = TOKENIZERS.get(str(described.get("kind")))
    if row is not None and row.external:
        return build_tokenizer(described, files=Path(files or directory / _LINK), device=device)
    if files is not None:
        raise BadCheckpoint(
            f"{directory}: tokenizer", expected="none from elsewhere", got=str(files), remedy="It holds its own."
        )
    return build_tokenizer(described)


def _read_tokenizer_weights(directory: Path, sums: Mapping[str, str], tokenizer: VideoTokenizer) -> None:
    if tokenizer.folder is None:
        _read_weights(directory, _TOKENIZER, sums, tokenizer)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        inside = [one.parent for one in sorted(path.parent.glob("*/*.yaml")) if one.name in _HEADERS]
        remedy = f"Did you mean {inside[0]}?" if inside else "Give the folder that holds it."
        raise BadCheckpoint(str(path), expected="a readable file", got=error.strerror, remedy=remedy) from None


def _check_fit(directory: Path, model: WorldModelNetwork, tokenizer: VideoTokenizer | None, header: _Header) -> None:
    parts: dict[str, tuple[object, object]] = {"action dimension": (model.config.action_dim, header.manifest.dim)}
    if tokenizer is not None:
        frame = (header.preprocessing.height, header.preprocessing.width)
        codes = family(header.family).code_key
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
                remedy="Use the tokenizer, preprocessing and manifest the model was trained with.",
            )


def _as_checkpoint_error(directory: Path, error: BadConfig) -> BadCheckpoint:
    return BadCheckpoint(
        f"{directory}: {error.what}", expected=error.expected, got=error.got, remedy=error.remedy or _COPY_AGAIN
    )


_COPY_AGAIN = "The checkpoint is damaged or incomplete: copy it again, or export it again from its run."
