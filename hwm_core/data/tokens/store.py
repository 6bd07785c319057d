"""Token stores: a token set for training and a token set for validation.

tokens/
  states.yaml, commands.yaml     action manifests, copied from the tokenised episode store
  training/, validation/         sets that `tokenise` made; or train*/ and val*/ as 1X publishes them, without manifests
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwm_core.data.episodes.store import manifest_path
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.embodiment import read_embodiment
from hwm_core.data.robot.manifest import ActionKind, ActionManifest, fit_manifest
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import is_token_set, open_tokens, read_spec
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE, HwmMetadata, read_metadata
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag, BadConfig

SET_PREFIXES = ("train", "val")  # first letters of the folder names of the training set and the validation set
_ROBOT_1X = "1x_eve"
_IMAGE_SIZE_1X = 256  # pixels: height and width of the images that 1X tokenised, 32 x 8 and 16 x 16
# Units of the commands in v1.1 sets, which the embodiment does not have.
_COMMAND_UNITS = {"driving_linear": "m/s", "driving_angular": "rad/s", "neck_desired": "rad"}


@dataclass(frozen=True)
class TokenStore:
    """An opened token store."""

    training: list[TokenEpisode]
    validation: list[TokenEpisode]
    preprocessing: Preprocessing  # of the images that were tokenised
    manifests: Mapping[ActionKind, ActionManifest]
    tokenizer: TokenizerSpec
    stride: int  # frames between the starts of clips


def is_token_store(path: str | Path) -> bool:
    """Whether `open_token_store` should be tried: the folder is a token set, or has one in it."""
    path = Path(path)
    return is_token_set(path) or any(is_token_set(one) for one in _folders(path))


def open_token_store(path: str | Path) -> TokenStore:
    """Open both sets.

    Raises:
        BadBag: a set is absent, truncated or damaged.
        BadConfig: the sets differ in tokenizer, camera or robot, or a manifest was changed after tokenising.
    """
    path = Path(path)
    sets = [_find_set(path, prefix) for prefix in SET_PREFIXES]
    metadata, other = (_hwm_metadata(one) for one in sets)
    tokenizer = read_spec(sets[0])
    read_spec(sets[1]).require(tokenizer, where=f"{sets[1]} beside {sets[0].name}")
    for key in ("preprocessing", "names", "clip_frames", "stride", "manifests"):
        if getattr(metadata, key) != getattr(other, key):
            raise BadConfig(
                f"Tokens {path}: {key}",
                expected=f"the same in {sets[1].name} as in {sets[0].name}",
                got="another",
                remedy="Tokenise both splits of one store with the same options.",
            )
    training, validation = open_tokens(sets[0]), open_tokens(sets[1])
    return TokenStore(
        training=training,
        validation=validation,
        preprocessing=metadata.preprocessing or _preprocessing_1x(training[0].frame_rate_hz),
        manifests=_fit_1x(training) if metadata.manifests is None else _read_manifests(path, metadata.manifests),
        tokenizer=tokenizer,
        stride=metadata.stride or training[0].clip_frames,
    )


def manifest_sha256(manifest: ActionManifest) -> str:
    """Checksum of all fields of a manifest."""
    return hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.glob("*") if one.is_dir())


def _find_set(path: Path, prefix: str) -> Path:
    """The only set whose name starts with `prefix`. Raises BadBag."""
    found = [one for one in _folders(path) if one.name.startswith(prefix) and is_token_set(one)]
    if len(found) != 1:
        unfinished = any((one / SETTINGS_FILE).exists() for one in _folders(path) if one.name.startswith(prefix))
        raise BadBag(
            f"Tokens {path}",
            expected=f"one set named {prefix}...",
            got=", ".join(one.name for one in found) or ("an unfinished set" if unfinished else "none"),
            remedy="Run `hwm tokenize` again."
            if unfinished
            else "Give a folder with one training set and one validation set.",
        )
    return found[0]


def _hwm_metadata(path: Path) -> HwmMetadata:
    return HwmMetadata() if (path / "video.bin").exists() else read_metadata(path).hwm  # v1.1 has none


def _preprocessing_1x(hz: float) -> Preprocessing:
    return Preprocessing(source_aspect=1.0, crop="none", height=_IMAGE_SIZE_1X, width=_IMAGE_SIZE_1X, frame_rate_hz=hz)


def _read_manifests(path: Path, checksums: Mapping[ActionKind, str]) -> dict[ActionKind, ActionManifest]:
    """The manifests beside the sets. Raises BadConfig when one was changed: the values would change their meaning."""
    manifests = {kind: ActionManifest.read(manifest_path(path, kind)) for kind in checksums}
    for kind, manifest in manifests.items():
        if manifest_sha256(manifest) != checksums[kind]:
            raise BadConfig(
                f"{manifest_path(path, kind)}",
                expected=f"the manifest of the tokenised store, sha256 {checksums[kind]}",
                got=manifest_sha256(manifest),
                remedy="Copy it from the store that was tokenised, or tokenise that store again.",
            )
    return manifests


def _fit_1x(episodes: Sequence[TokenEpisode]) -> dict[ActionKind, ActionManifest]:
    """A manifest for 1X's own sets. 1X publishes no joint limits, so the extremes of the values are the limits."""
    units = {one.name: one.unit for one in read_embodiment(_ROBOT_1X).dimensions} | _COMMAND_UNITS
    names = episodes[0].names
    values = np.concatenate([one.states for one in episodes if one.states is not None])
    return {"states": fit_manifest(_ROBOT_1X, "states", names, [units[name] for name in names], values)}
