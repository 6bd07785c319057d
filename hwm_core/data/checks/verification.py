"""Is a data set what it says it is? Everything is read; what is wrong, and what is only odd, is told apart."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hwm_core.data.episodes.store import open_store
from hwm_core.data.formats.onex_raw import is_raw_set
from hwm_core.data.lerobot.checked_episode import grid_deviation
from hwm_core.data.lerobot.dataset import LeRobotDataset, open_lerobot
from hwm_core.data.lerobot.metadata import read_statistics
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.tables import read_table
from hwm_core.data.recording.recording import Recording
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import count_warnings, find_token_sets, is_token_set, open_episodes
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE
from hwm_core.data.tokens.store import SET_PREFIXES, open_token_store
from hwm_core.data.tokens.vocabulary import in_vocabulary, out_of_vocabulary
from hwm_core.errors import BadInput
from hwm_core.io.json_files import read_json


@dataclass(frozen=True)
class Finding:
    """One thing found."""

    level: Literal["fault", "note"]  # a fault makes data unusable; a note is worth knowing
    where: str
    text: str


def verify_recording(recording: Recording) -> list[Finding]:
    """Read one recording to its end; of a LeRobot dataset with every camera, unless one was chosen."""
    if isinstance(recording, LeRobotRecording) and recording.camera is None and len(recording.dataset.cameras) > 1:
        each = [replace(recording, camera=camera) for camera in recording.dataset.cameras]
        return list(dict.fromkeys(finding for one in each for finding in verify_recording(one)))
    try:
        timeline, report = recording.timeline("before_frame")
        timeline.aligned_joints()
    except BadInput as fault:
        return [Finding("fault", recording.name, str(fault))]
    told = report.remarks()
    if report.lost_frames:
        text = f"{report.lost_frames} frames are lost to joint messages that cannot be used: {told}"
        return [Finding("fault", recording.name, text)]
    return [Finding("note", recording.name, told)] if told else []


def verify_metadata(path: Path) -> Iterator[Finding]:
    """What belongs to a whole set and to no recording of it: totals, cameras, time grids of LeRobot; totals of 1X;
    sizes and codes of tokens, and whether the sets of one folder fit; a store's episodes."""
    try:
        if (path / "meta" / "info.json").exists():
            yield from _lerobot(open_lerobot(path))
        if is_raw_set(path):
            yield from _counts(path)
        yield from _token_sets(path)
        if is_store(path):
            store = open_store(path)
            if not store.validation:
                yield Finding("note", path.name, "no validation episodes: no number of a model on it means anything")
    except BadInput as fault:
        yield Finding("fault", path.name, str(fault))


def is_store(path: Path) -> bool:
    """Whether it looks like what `prepare_data` makes."""
    return any(path.glob("training/*/episode.yaml"))


def _lerobot(dataset: LeRobotDataset) -> Iterator[Finding]:
    where, info = dataset.path.name, dataset.info
    rows = 0
    moved: list[float] = []
    for number in dataset.episodes:
        try:
            stamps = np.asarray(read_table(dataset, number, ["timestamp"])["timestamp"].to_pylist(), dtype=np.float64)
        except BadInput as fault:
            yield Finding("fault", f"{where} episode {number}", str(fault))
            continue
        rows += len(stamps)
        off, irregular = grid_deviation(stamps, dataset.fps)
        moved += [off] if off else []
        if irregular:
            told = f"times leave the {dataset.fps:g} Hz grid by {irregular:.4f} s"
            yield Finding("note", f"{where} episode {number}", told)
    if moved:
        told = (
            f"timestamps of {len(moved)} episodes stand {max(moved, key=abs):+.4f} s off row / fps, by which LeRobot "
        )
        yield Finding("note", where, told + "looks pictures up; a conversion between versions counts them from 0")
    counts = {"total_episodes": len(dataset.episodes), "total_frames": rows}
    try:  # of what only a conversion wants
        counts["total_tasks"] = len(dataset.tasks())
    except BadInput as fault:
        yield Finding("fault", where, str(fault))
    if dataset.version.startswith("v3.") and not (dataset.path / "meta/tasks.parquet").exists():
        yield Finding("fault", where, "meta/tasks.parquet is missing, without which LeRobot opens no v3.0: download it")
    for check in (lambda: read_statistics(dataset.path), lambda: _statistics_of_all(dataset.path)):
        try:
            check()
        except BadInput as fault:
            yield Finding("fault", where, str(fault))
    for key, counted in counts.items():
        if key in info and info[key] != counted:
            yield Finding(
                "note", where, f"info.json says {key} {info[key]}, on disk are {counted}: what counts is the disk"
            )
    for key, feature in info["features"].items():
        if feature.get("dtype") == "video" and key not in dataset.cameras:
            yield Finding("note", where, f"info.json names the video `{key}`, which has no files")
    for key, names in (("observation.state", dataset.state_names), ("action", dataset.command_names)):
        if names and names[0] == "joint_0":
            yield Finding("note", where, f"`{key}` has no joint names: joint_0, joint_1, ... are made up")
        elif not names:
            yield Finding("note", where, f"there is no `{key}`")


def _statistics_of_all(path: Path) -> None:
    """Of the whole dataset, where it has them. Raises BadBag."""
    file = path / "meta/stats.json"
    if file.exists():
        read_json(file, "It was cut: download it again, or convert the dataset, which makes them anew.")


def _token_sets(path: Path) -> Iterator[Finding]:
    """Of every set at or below `path`, and of those side by side whether they can be trained on together."""
    sets = find_token_sets(path)
    damaged: set[Path] = set()
    for one in sets:
        for finding in _token_set(one):
            yield finding
            damaged |= {one.parent} if finding.level == "fault" else set()
    for folder in sorted({one.parent for one in sets if one != path} - damaged):
        yield from _pair(folder)


def _counts(path: Path) -> Iterator[Finding]:
    for warning in count_warnings(path):
        yield Finding("note", path.name, warning)


def _token_set(path: Path) -> Iterator[Finding]:
    yield from _counts(path)
    try:
        for episode in open_episodes(path):
            yield from _tokens(episode)
    except BadInput as fault:
        yield Finding("fault", path.name, str(fault))


def _pair(folder: Path) -> Iterator[Finding]:
    names = [one.name for one in sorted(folder.iterdir()) if is_token_set(one) or (one / SETTINGS_FILE).exists()]
    sides = [[name for name in names if name.startswith(begin)] for begin in SET_PREFIXES]
    if any(len(some) != 1 for some in sides):
        if any(sides):
            wanted = " and one ".join(f"named {prefix}..." for prefix in SET_PREFIXES)
            text = f"training needs a folder with one set {wanted}; this folder has {', '.join(names)}"
            yield Finding("note", folder.name, text)
        return
    try:
        open_token_store(folder)
    except BadInput as fault:
        yield Finding("fault", folder.name, str(fault))


def _tokens(episode: TokenEpisode) -> Iterator[Finding]:
    if not in_vocabulary(episode.tokens, episode.vocabulary):
        yield Finding("fault", episode.name, str(out_of_vocabulary(episode.name, episode.tokens, episode.vocabulary)))
    if partial := episode.partial_clips:
        yield Finding("note", episode.name, f"{partial} clip cut short at the end: never used")
    if straddling := episode.straddling_clips:
        whole = len(episode.tokens) - partial
        yield Finding("note", episode.name, f"{straddling} of {whole} clips straddle a cut: never used")
