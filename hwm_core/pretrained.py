"""Folders of pretrained networks in the format of diffusers: config.json and safetensors, identified by sha256.

Nothing is downloaded, and the files are never copied. The packages that read them are the extra `wan`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors import SafetensorError

from hwm_core.errors import BadCheckpoint, BadConfig

CONFIG = "config.json"
_EXTRA = ("diffusers", "peft", "psutil", "transformers")
_OF_DIFFUSERS = "Give the folder of Wan2.2-TI2V-5B in the format of diffusers, as docs/models.md describes."
_AGAIN = "Download the folder again, completely."


def import_extra(module: str) -> ModuleType:
    """Import a module that needs the packages of the extra `wan`. Raises BadConfig where one is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRA:
            raise
        raise BadConfig(
            "Wan 2.2",
            expected=f"the packages {', '.join(_EXTRA)}",
            got=f"no package {error.name}",
            remedy="Install the extra: pip install '.[wan]' in the repository of hwm_ros.",
        ) from None


def has_extra() -> bool:
    """Whether the packages of the extra `wan` are installed."""
    return all(find_spec(package) is not None for package in _EXTRA)


def is_pretrained(folder: Path, network: str) -> bool:
    """Whether the config.json of the folder names the class `network`."""
    try:
        return json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("_class_name") == network
    except (OSError, ValueError, AttributeError):
        return False


def read_settings(folder: Path, network: str, keys: Sequence[str] = (), remedy: str = _OF_DIFFUSERS) -> dict[str, Any]:
    """The settings in config.json.

    Args:
        keys: those that the caller reads.
        remedy: what to do if it is no such folder.

    Raises BadCheckpoint unless it is a folder of the class `network` with weights and these keys.
    """
    if not is_pretrained(folder, network):
        exists = (folder / CONFIG).is_file()
        raise BadCheckpoint(
            str(folder),
            expected=f"a folder of diffusers' {network}: config.json and safetensors",
            got="a config.json of another class, or a damaged one" if exists else "no config.json",
            remedy=remedy,
        )
    _weight_files(folder)
    settings: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if absent := [key for key in keys if key not in settings]:
        raise BadCheckpoint(
            str(folder / CONFIG), expected=f"the keys {', '.join(keys)}", got=f"no {', '.join(absent)}", remedy=_AGAIN
        )
    return settings


def open_network(network: Any, folder: Path, **options: Any) -> Any:
    """The network in a folder, with every weight from its files.

    Args:
        network: a class of diffusers or transformers.
        options: of its `from_pretrained`.

    Raises BadCheckpoint where the weights cannot be read, or one is absent: both libraries would leave it random.
    """
    try:
        opened, found = network.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        got = (str(error).strip().splitlines() or [type(error).__name__])[0]
    else:
        if not (absent := sorted(found["missing_keys"])):
            return opened
        got = f"no weights for {len(absent)} of its parameters: {', '.join(absent[:3])}{' ...' * (len(absent) > 3)}"
    raise BadCheckpoint(str(folder), expected=f"all weights of the class {network.__name__}", got=got, remedy=_AGAIN)


def sums(folder: Path) -> dict[str, str]:
    """{file name: sha256} of config.json and of all weights. Raises BadCheckpoint if one is missing."""
    return {file.name: file_sha256(file) for file in (folder / CONFIG, *_weight_files(folder))}


def check_sums(folder: Path, wanted: Mapping[str, str], what: str, remedy: str) -> None:
    """Raises BadCheckpoint if a file is absent or has another sha256 than in `wanted`.

    Args:
        what: what the files are, for the message.
        remedy: what to do.
    """
    for name, digest in wanted.items():
        path = folder / name
        got = f"sha256 {file_sha256(path)}" if path.is_file() else "no such file"
        if got != f"sha256 {digest}":
            raise BadCheckpoint(str(path), expected=f"{name} of {what}, sha256 {digest}", got=got, remedy=remedy)


def file_sha256(path: Path) -> str:
    """The sha256 of a file. Raises BadCheckpoint if it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise BadCheckpoint(
            str(path), expected="a readable file", got=error.strerror, remedy="Check the folder."
        ) from None


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors of the folder, as its index lists them. Raises BadCheckpoint if one is missing."""
    found = sorted(folder.glob("*.safetensors"))
    indices = sorted(folder.glob("*.safetensors.index.json"))
    wanted = {name for index in indices for name in _indexed(index)}
    if missing := sorted(wanted - {file.name for file in found}):
        raise BadCheckpoint(
            str(folder), expected=" and ".join(missing), got="no such file", remedy="Complete the download."
        )
    if not found:
        raise BadCheckpoint(
            str(folder),
            expected="weights: *.safetensors beside config.json",
            got="none",
            remedy="Download the weights too; files of a few hundred bytes are git-lfs pointers.",
        )
    return [*indices, *found]


def _indexed(index: Path) -> set[str]:
    """The files that an index lists."""
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadCheckpoint(
            str(index), expected='an index of weights, with "weight_map"', got="a damaged file", remedy=_AGAIN
        ) from None
