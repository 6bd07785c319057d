"""The episode store: preprocessed episodes on disk, memory-mapped for training.

The files of a store::

    store/
      states.yaml, commands.yaml     action manifests, fitted on training/ only
      training/NAME/, validation/NAME/
        frames.npy                   uint8 [F, H, W, 3]
        arrays.npz                   stamps_ns, segments, states and commands where recorded
        episode.yaml                 joint names and preprocessing; values are as recorded, not normalised
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from hwm_core.config import Config
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionKind, ActionManifest
from hwm_core.errors import BadBag, BadConfig, nearest_path
from hwm_core.io.atomic import new_folder
from hwm_core.io.memory_map import map_file
from hwm_core.io.numpy_files import read_npy_header, read_npz
from hwm_core.types import Episode

Split = Literal["training", "validation"]


class EpisodeHeader(Config):
    """The contents of episode.yaml."""

    format: Literal[1] = 1
    names: tuple[str, ...]
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Store:
    """An opened episode store."""

    training: list[Episode]
    validation: list[Episode]
    preprocessing: Preprocessing
    manifests: Mapping[ActionKind, ActionManifest]


def write_episode(folder: str | Path, episode: Episode, preprocessing: Preprocessing) -> Path:
    """Write one episode as `folder`/NAME; the folder appears whole or not at all.

    Raises:
        BadBag: an episode of this name exists.
    """
    target = Path(folder) / episode.name
    if target.exists():
        raise BadBag(f"Episode {target}", expected="a new name", got="one that exists", remedy="Rename one of the two.")
    with new_folder(target) as partial:
        arrays: dict[str, Any] = {"stamps_ns": episode.stamps_ns, "segments": episode.segments}
        for kind, values in (("states", episode.states), ("commands", episode.commands)):
            if values is not None:
                arrays[kind] = values
        np.save(partial / "frames.npy", episode.frames)
        np.savez(partial / "arrays.npz", **arrays)
        header = EpisodeHeader(names=episode.names, preprocessing=preprocessing)
        (partial / "episode.yaml").write_text(yaml.safe_dump(header.plain(), sort_keys=False))
    return target


def require_preprocessing(store: Store, wanted: Preprocessing, path: str | Path) -> None:
    """Raises BadConfig when the store at `path` has another preprocessing than the checkpoint in use."""
    if store.preprocessing != wanted:
        expected, got = wanted.differences(store.preprocessing)
        raise BadConfig(
            f"Store {path}",
            expected=f"the checkpoint's preprocessing, {expected}",
            got=got,
            remedy="Prepare the recordings with the checkpoint's preprocessing.",
        )


def copied_episodes(store: Store) -> list[str]:
    """Episodes for validation that are also in training under another name, a sentence each.

    Equal are joint values, segments, and first and last image.
    """
    known = {_contents(one): one.name for one in store.training}
    pairs = ((one.name, known.get(_contents(one))) for one in store.validation)
    return [
        f"the validation episode {name} equals the training episode {other}: remove one of the two recordings"
        for name, other in pairs
        if other is not None
    ]


def _contents(episode: Episode) -> bytes:
    parts = (episode.segments, episode.states, episode.commands, episode.frames[0], episode.frames[-1])
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.digest()


def open_store(path: str | Path) -> Store:
    """Open both splits and the manifests. Raises BadBag when the store is empty, damaged or of mixed preprocessing."""
    path = Path(path)
    if not path.is_dir():
        got = "a file" if path.exists() else "no such folder"
        raise BadBag(f"Store {path}", expected="a folder that `hwm prepare` filled", got=got, remedy="Check the path.")
    training, validation = _open_all(path / "training"), _open_all(path / "validation")
    if not training:
        raise BadBag(
            f"Store {path}",
            expected="episodes in training/",
            got="none",
            remedy=nearest_path(path, "Make it: `hwm prepare`."),
        )
    preprocessing = training[0][1]
    _reject_mixture(path, [*training, *validation])
    kinds: tuple[ActionKind, ...] = ("states", "commands")
    return Store(
        training=[episode for episode, _ in training],
        validation=[episode for episode, _ in validation],
        preprocessing=preprocessing,
        manifests={kind: ActionManifest.read(file) for kind in kinds if (file := manifest_path(path, kind)).exists()},
    )


def read_header(episode: str | Path) -> EpisodeHeader:
    """Read joint names and preprocessing of a stored episode. Raises BadConfig when its episode.yaml is damaged."""
    return EpisodeHeader.read(Path(episode) / "episode.yaml")


def manifest_path(store: str | Path, kind: ActionKind) -> Path:
    """Path of the manifest of states or commands."""
    return Path(store) / f"{kind}.yaml"


def _open_all(folder: Path) -> list[tuple[Episode, Preprocessing]]:
    paths = sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    opened = [_open(path) for path in paths]
    _reject_mixture(folder, opened)
    return opened


def _open(path: Path) -> tuple[Episode, Preprocessing]:
    header = read_header(path)
    try:
        arrays = read_npz(path / "arrays.npz")
        frames = _map_frames(path / "frames.npy")
        episode = Episode(
            name=path.name,
            frames=frames,
            stamps_ns=arrays["stamps_ns"],
            segments=arrays["segments"],
            names=header.names,
            states=arrays.get("states"),
            commands=arrays.get("commands"),
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadBag(
            f"Episode {path}", expected="complete frames.npy and arrays.npz", got=str(error), remedy="Prepare it again."
        ) from error
    return episode, header.preprocessing


def _map_frames(path: Path) -> NDArray[np.uint8]:
    shape, dtype, offset = read_npy_header(path)
    if dtype != np.uint8 or len(shape) != 4:
        raise ValueError(f"{path.name} has {dtype} {shape}, not uint8 [F, H, W, 3]")
    size = offset + int(np.prod(shape))
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} is {path.stat().st_size} bytes, not {size}")
    return map_file(path, size)[offset:].reshape(shape)


def _reject_mixture(where: Path, episodes: list[tuple[Episode, Preprocessing]]) -> None:
    for episode, preprocessing in episodes[1:]:
        first, wanted = episodes[0]
        if preprocessing != wanted or episode.names != first.names:
            raise BadBag(
                f"Store {where}",
                expected=f"every episode with the joints and preprocessing of {first.name}",
                got=f"others in {episode.name}",
                remedy="Use one store for each robot and image size.",
            )
