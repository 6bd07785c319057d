"""Codes in place of pictures, ready for training: a set to train on and one to judge by.

tokens/
  states.yaml, commands.yaml     action manifests, of the store that was tokenised
  training/, validation/         sets of `tokenise`; or train*/ and val*/ as 1X publishes them, without manifests
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
from hwm_core.data.tokens.onex import SETTINGS_FILE, is_token_set, open_tokens, read_spec
from hwm_core.data.tokens.onex_metadata import HwmMetadata, read_metadata
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag, BadConfig

SET_PREFIXES = ("train", "val")  # how the names begin of the set to train on and of the one to judge by
_ROBOT = "1x_eve"
_PICTURES_1X = 256  # pixels: height and width of what 1X tokenised, 32 x 8 and 16 x 16
_ASKED = {"driving_linear": "m/s", "driving_angular": "rad/s", "neck_desired": "rad"}  # units beyond the layout's


@dataclass(frozen=True)
class TokenStore:
    """An opened pair of sets."""

    training: list[TokenEpisode]
    validation: list[TokenEpisode]
    preprocessing: Preprocessing  # of the pictures that were tokenised
    manifests: Mapping[ActionKind, ActionManifest]
    codes: TokenizerSpec
    stride: int  # frames between the starts of clips


def is_token_store(path: str | Path) -> bool:
    """Whether `open_token_store` should be tried: a set of tokens lies in it, or it is one itself."""
    path = Path(path)
    return is_token_set(path) or any(is_token_set(one) for one in _folders(path))


def open_token_store(path: str | Path) -> TokenStore:
    """Both sets, and what they say of camera, robot and tokenizer.

    Raises:
        BadBag: a set is absent, cut or damaged.
        BadConfig: the two are not of one tokenizer, camera and robot, or a manifest is not the one they were made with.
    """
    path = Path(path)
    sides = [_side(path, begin) for begin in SET_PREFIXES]
    said, other = (_said(side) for side in sides)
    codes = read_spec(sides[0])
    read_spec(sides[1]).require(codes, where=f"{sides[1]} beside {sides[0].name}")
    for key in ("preprocessing", "names", "clip_frames", "stride", "manifests"):
        if getattr(said, key) != getattr(other, key):
            raise BadConfig(
                f"Tokens {path}: {key}",
                expected=f"in {sides[1].name} those of {sides[0].name}",
                got="others",
                remedy="Tokenise both splits of one store with the same options.",
            )
    training, validation = open_tokens(sides[0]), open_tokens(sides[1])
    return TokenStore(
        training=training,
        validation=validation,
        preprocessing=said.preprocessing or _preprocessing_of_1x(training[0].frame_rate_hz),
        manifests=_measured(training) if said.manifests is None else _kept(path, said.manifests),
        codes=codes,
        stride=said.stride or training[0].clip_frames,
    )


def manifest_sha256(manifest: ActionManifest) -> str:
    """Of all it says."""
    return hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.glob("*") if one.is_dir())


def _side(path: Path, begin: str) -> Path:
    """The one set whose name begins so."""
    found = [one for one in _folders(path) if one.name.startswith(begin) and is_token_set(one)]
    if len(found) != 1:
        begun = any((one / SETTINGS_FILE).exists() for one in _folders(path) if one.name.startswith(begin))
        raise BadBag(
            f"Tokens {path}",
            expected=f"one set named {begin}...",
            got=", ".join(one.name for one in found) or ("one that is not finished" if begun else "none"),
            remedy="Run `training.tokenise_data` again."
            if begun
            else "Name a folder with one set to train on and one to judge by.",
        )
    return found[0]


def _said(side: Path) -> HwmMetadata:
    return HwmMetadata() if (side / "video.bin").exists() else read_metadata(side).hwm  # v1.1 has no place for it


def _preprocessing_of_1x(hz: float) -> Preprocessing:
    return Preprocessing(source_aspect=1.0, crop="none", height=_PICTURES_1X, width=_PICTURES_1X, frame_rate_hz=hz)


def _kept(path: Path, sums: Mapping[ActionKind, str]) -> dict[ActionKind, ActionManifest]:
    """The manifests beside the sets. Raises BadConfig where one was changed: values would mean something else."""
    manifests = {kind: ActionManifest.read(manifest_path(path, kind)) for kind in sums}
    for kind, manifest in manifests.items():
        if manifest_sha256(manifest) != sums[kind]:
            raise BadConfig(
                f"{manifest_path(path, kind)}",
                expected=f"the manifest that was tokenised with, sha256 {sums[kind]}",
                got=manifest_sha256(manifest),
                remedy="Copy it from the store that was tokenised, or tokenise it again.",
            )
    return manifests


def _measured(episodes: Sequence[TokenEpisode]) -> dict[ActionKind, ActionManifest]:
    """Of a set without one: 1X's robot, with the extremes seen as limits, for it publishes none."""
    units = {one.name: one.unit for one in read_embodiment(_ROBOT).dimensions} | _ASKED
    names = episodes[0].names
    values = np.concatenate([one.states for one in episodes if one.states is not None])
    return {"states": fit_manifest(_ROBOT, "states", names, [units[name] for name in names], values)}
