"""The files of a LeRobot v2.1 dataset: paths of the episodes, and meta/."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hwm_core.data.lerobot.info_file import CHUNK, write_info

PATHS = {
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}


def episode_path(folder: Path, kind: Literal["data_path", "video_path"], episode: int, camera: str = "") -> Path:
    """Path of an episode's table or video; creates its folder."""
    names = {"episode_chunk": episode // CHUNK, "video_key": camera, "episode_index": episode}
    path = folder / PATHS[kind].format(**names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_metadata(
    folder: Path,
    robot: str | None,
    fps: float,
    features: Mapping[str, Any],
    episodes: Sequence[Mapping[str, Any]],
    stats: Sequence[Mapping[str, Any]],
    tasks: Mapping[int, str],
    videos: int,
) -> None:
    """Write meta/ of a dataset.

    Args:
        folder: of the dataset.
        robot: its name.
        fps: frame rate.
        features: {feature: description}.
        episodes: lines of episodes.jsonl.
        stats: lines of episodes_stats.jsonl.
        tasks: {task_index: task}.
        videos: number of video files.
    """
    (folder / "meta").mkdir(exist_ok=True)
    lines = [{"task_index": index, "task": task} for index, task in sorted(tasks.items())]
    for name, some in (("episodes", episodes), ("episodes_stats", stats), ("tasks", lines)):
        (folder / f"meta/{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in some))
    frames = sum(line["length"] for line in episodes)
    chunks = max(line["episode_index"] for line in episodes) // CHUNK + 1
    write_info(
        folder,
        "v2.1",
        robot,
        fps,
        features,
        PATHS,
        totals={"episodes": len(episodes), "frames": frames, "tasks": len(tasks)},
        more={"total_videos": videos, "total_chunks": chunks},
    )
