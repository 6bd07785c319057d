"""Writes meta/info.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, INFO, is_video

# LeRobot's own limit for the files or episodes in a chunk.
CHUNK = 1000


def write_info(
    folder: Path,
    version: str,
    robot: str | None,
    fps: float,
    features: Mapping[str, Any],
    paths: Mapping[str, str],
    totals: Mapping[str, int],
    more: Mapping[str, Any],
) -> None:
    """Write meta/info.json of a dataset.

    Args:
        folder: of the dataset.
        version: of the format.
        robot: its name.
        fps: frame rate.
        features: {feature: description}.
        paths: the patterns `data_path` and `video_path`.
        totals: counts of episodes, frames and tasks.
        more: keys that only this version has.
    """
    info = {
        "codebase_version": version,
        "robot_type": robot,
        **{f"total_{what}": count for what, count in totals.items()},
        "chunks_size": CHUNK,
        "fps": int(fps) if fps == int(fps) else fps,
        "splits": {"train": f"0:{totals['episodes']}"},
        **paths,
        **more,
        "features": dict(features),
    }
    (folder / INFO).write_text(json.dumps(info, indent=4) + "\n")


def kept_features(dataset: LeRobotDataset) -> dict[str, Any]:
    """`features` of a dataset without the cameras that have no files, and with the columns that LeRobot requires."""
    features = {
        key: feature
        for key, feature in dataset.info["features"].items()
        if not is_video(feature) or key in dataset.cameras
    }
    for name in INDEX_COLUMNS:
        features.setdefault(name, {"dtype": "int64", "shape": [1], "names": None})
    return features
