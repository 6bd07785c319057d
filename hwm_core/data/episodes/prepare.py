"""Prepares recordings as an episode store. Interrupted runs resume; manifests are fitted on the training split only."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from hwm_core.data.episodes.store import Split, manifest_path, open_store, read_header, write_episode
from hwm_core.data.recording.clock import MAX_GAP_PERIODS, rounded_rate_hz
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.recording import Recording, require_unique_names
from hwm_core.data.robot.description import Robot
from hwm_core.data.robot.embodiment import Embodiment
from hwm_core.data.robot.fit_manifests import fit_manifests
from hwm_core.data.robot.manifest import ActionKind, ActionManifest
from hwm_core.errors import BadBag, BadInput
from hwm_core.io.atomic import new_file
from hwm_core.io.workers import worker_pool
from hwm_core.types import Episode


@dataclass(frozen=True)
class Prepared:
    """The outcome for one recording: a report, or a fault; neither when the store already had it."""

    name: str
    split: Split
    report: ReadReport | None = None
    fault: str = ""


def prepare_episodes(
    recordings: Mapping[Split, Sequence[Recording]],
    store: str | Path,
    preprocessing: Preprocessing,
    names: Sequence[str] | None = None,
    workers: int = 1,
    embodiment: Embodiment | None = None,
) -> Iterator[Prepared]:
    """Write the recordings that are not in the store yet, and yield the outcome of each.

    Only one process at a time may prepare a store.

    Args:
        recordings: recordings of each split; unusable ones are reported and left out.
        store: folder to fill.
        preprocessing: applied to every image; the same for the whole store.
        names: joints wanted, in this order; None takes the joints of the first recording for all.
        workers: number of reading processes.
        embodiment: dimensions of the store; a dimension that a robot lacks is NaN. None takes the joints as they are.

    Raises:
        BadBag: two recordings share a name, or the store has another preprocessing, other joints or another split.
    """
    store = Path(store)
    require_unique_names(chain.from_iterable(recordings.values()))  # also across the splits: no episode is in both
    if embodiment is not None:
        names = embodiment.names
    for partial_write in store.glob("*/.*.partial"):  # left by a killed process
        shutil.rmtree(partial_write)
    for header in store.glob("*/[!.]*/episode.yaml"):  # one episode is enough: a store is not mixed
        names = _same_store(header.parent, preprocessing, names)
        break
    todo: list[tuple[Recording, Split]] = []
    for split, some in recordings.items():
        for recording in some:
            if _find(store, recording.name, split) is None:
                todo.append((recording, split))
            else:
                yield Prepared(recording.name, split)
    prepare = partial(_prepare_one, store=store, preprocessing=preprocessing, embodiment=embodiment)
    # The first readable recording determines the joints and their order; only then can the others run in parallel.
    while todo and (names is None or workers == 1):
        outcome, names = prepare(todo.pop(0), names=names)
        yield outcome
    if todo:
        with worker_pool(workers) as pool:
            for outcome, _ in pool.map(partial(prepare, names=names), todo):
                yield outcome


def fit_store_manifests(
    store: str | Path, robot: Robot, aliases: Mapping[str, str] | None = None, some_joints: bool = False
) -> dict[ActionKind, ActionManifest]:
    """Fit manifests on the training split of a store, and write them to the store.

    Args:
        store: a filled store.
        robot: units and limits of its joints.
        aliases: {name a robot publishes: name in the store}, from an embodiment.
        some_joints: the store has only some of the robot's joints.

    Returns:
        A manifest for states and a manifest for commands, where they were recorded.

    Raises:
        BadBag: the store is empty or damaged.
        BadConfig: `robot` describes a joint that the store lacks.
        BadActions: limits cannot belong to the values of their joint, or values cannot be in the declared unit.
    """
    manifests = fit_manifests(open_store(store).training, robot, aliases, some_joints)
    for kind, manifest in manifests.items():
        with new_file(manifest_path(store, kind)) as partial_file:
            partial_file.write_text(yaml.safe_dump(manifest.plain(), sort_keys=False))
    return manifests


def _prepare_one(
    task: tuple[Recording, Split],
    store: Path,
    preprocessing: Preprocessing,
    embodiment: Embodiment | None,
    names: Sequence[str] | None,
) -> tuple[Prepared, Sequence[str] | None]:
    """Read and write one recording. Returns its outcome, and the joint names of the store from now on."""
    recording, split = task
    try:
        episode, report = recording.read(preprocessing, None if embodiment else names)
        _require_neighbours(episode, preprocessing.frame_rate_hz)
        if embodiment is not None:
            episode = embodiment.arrange(episode)
        write_episode(store / split, episode, preprocessing)
    except BadInput as fault:
        return Prepared(recording.name, split, fault=str(fault)), names
    return Prepared(recording.name, split, report), episode.names


def _require_neighbours(episode: Episode, rate_hz: float) -> None:
    """Raises BadBag when every frame is its own segment, so that no window fits."""
    if len(episode) > 1 and (np.diff(episode.segments) != 0).all():
        measured = rounded_rate_hz(float(np.median(np.abs(np.diff(episode.stamps_ns)))))
        raise BadBag(
            f"Recording {episode.name} at {rate_hz:g} Hz",
            expected=f"frames no further apart than {MAX_GAP_PERIODS} periods; a longer interval is a gap",
            got=f"images with joint values at {measured:.4g} Hz",
            remedy=f"Prepare at that rate: `--rate {measured:.4g}`.",
        )


def _find(store: Path, name: str, split: Split) -> Path | None:
    """Folder of the episode, if it is in the store. Raises BadBag when it is in the other split."""
    other = store / ("training" if split == "validation" else "validation") / name
    if other.exists():
        raise BadBag(
            f"Episode {name}", expected=f"the episode in {split}/", got=f"{other}", remedy="Move or remove it first."
        )
    folder = store / split / name
    return folder if folder.exists() else None


def _same_store(folder: Path, preprocessing: Preprocessing, names: Sequence[str] | None) -> tuple[str, ...]:
    header = read_header(folder)
    expected, got = header.preprocessing.differences(preprocessing)
    if not expected and names is not None and tuple(names) != header.names:
        expected, got = f"joints {', '.join(header.names)}", f"joints {', '.join(names)}"
    if expected:
        raise BadBag(
            f"Store {folder.parents[1]}",
            expected=f"the preprocessing and joints of its first episode: {expected}",
            got=got,
            remedy="Use another folder, or remove this one.",
        )
    return header.names
