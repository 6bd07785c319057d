"""Verifies recordings and data sets: reads everything, and reports faults and notes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hwm_core.data.checks.finding import Finding
from hwm_core.data.checks.lerobot_verification import verify_lerobot
from hwm_core.data.checks.token_verification import verify_counts, verify_token_sets
from hwm_core.data.episodes.store import copied_episodes, open_store
from hwm_core.data.formats.onex_raw import is_raw_set
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadInput


def verify_recording(recording: Recording) -> list[Finding]:
    """Read a recording to its end; of a LeRobot episode, read every camera unless one was chosen."""
    if isinstance(recording, LeRobotRecording) and recording.camera is None and len(recording.dataset.cameras) > 1:
        each = [replace(recording, camera=camera) for camera in recording.dataset.cameras]
        return list(dict.fromkeys(finding for one in each for finding in verify_recording(one)))
    try:
        timeline, report = recording.timeline("before_frame")
        recording.columns_of(timeline)
    except BadInput as fault:
        return [Finding("fault", recording.name, str(fault))]
    found = [Finding("fault", recording.name, text) for text in report.source_faults]
    left_out = replace(report, source_faults=()).remarks()
    if report.lost_frames:
        text = f"{report.lost_frames} frames are lost because of unusable joint messages: {left_out}"
        return [*found, Finding("fault", recording.name, text)]
    return [*found, Finding("note", recording.name, left_out)] if left_out else found


def verify_metadata(path: Path) -> Iterator[Finding]:
    """Verify what concerns a whole data set and no single recording.

    LeRobot: totals, cameras and time grids. 1X: totals. Token sets: sizes and codes, and whether the sets of a folder
    can be trained on together. Episode stores: that they open.
    """
    try:
        if (path / "meta" / "info.json").exists():
            yield from verify_lerobot(open_lerobot(path))
        if is_raw_set(path):
            yield from verify_counts(path)
        yield from verify_token_sets(path)
        if is_store(path):
            store = open_store(path)
            yield from (Finding("note", path.name, text) for text in copied_episodes(store))
            if not store.validation:
                yield Finding("note", path.name, "no validation episodes: models cannot be evaluated on it")
    except BadInput as fault:
        yield Finding("fault", path.name, str(fault))


def is_store(path: Path) -> bool:
    """Whether the folder looks like an episode store, the result of `hwm prepare`."""
    return any(path.glob("training/*/episode.yaml"))
