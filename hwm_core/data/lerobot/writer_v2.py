"""Writes LeRobot v2.1 from checked episodes: a table and a video for each episode and camera."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet

from hwm_core.data.lerobot import v2_files
from hwm_core.data.lerobot.checked_episode import CheckedEpisode
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.info_file import KeptFeatures
from hwm_core.data.recording.video_packets import copy_packets
from hwm_core.errors import BadInput


class WriterV2:
    """Writes every episode under its own number.

    Args:
        dataset: the source.
        folder: of the new dataset.
        kept: its features.
    """

    def __init__(self, dataset: LeRobotDataset, folder: Path, kept: KeptFeatures) -> None:
        self._dataset, self._folder, self._kept = dataset, folder, kept
        self._episodes: list[dict[str, Any]] = []
        self._stats: list[dict[str, Any]] = []
        self._frames, self._videos = 0, 0

    def add(self, episode: CheckedEpisode) -> None:
        """Write one episode. Raises BadBag for a video that cannot be copied; then no file of the episode is left."""
        length = episode.table.num_rows
        episode = episode.renumbered(episode.number, self._frames)
        files = {key: v2_files.episode_path(self._folder, "video_path", episode.number, key) for key in episode.videos}
        try:
            for key, video in episode.videos.items():
                copy_packets([video], [length], self._dataset.fps, files[key])
        except BadInput:
            for file in files.values():
                file.unlink(missing_ok=True)
            raise
        pyarrow.parquet.write_table(episode.table, v2_files.episode_path(self._folder, "data_path", episode.number))
        self._episodes.append({"episode_index": episode.number, "tasks": list(episode.tasks), "length": length})
        self._stats.append({"episode_index": episode.number, "stats": episode.stats})
        self._frames, self._videos = self._frames + length, self._videos + len(files)

    def finish(self, tasks: Mapping[int, str]) -> None:
        """Write meta/.

        Args:
            tasks: {task_index: task}.
        """
        v2_files.write_metadata(
            self._folder,
            self._dataset.info.get("robot_type"),
            self._dataset.fps,
            self._kept.features,
            self._episodes,
            self._stats,
            tasks,
            self._videos,
        )

    def losses(self) -> list[str]:
        """What the format cannot keep: nothing."""
        return []
