"""Writes a new LeRobot v2.1 dataset from staged recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.lerobot import v2_files
from hwm_core.data.lerobot.metadata import ACTION, INDEX_COLUMNS, STATE
from hwm_core.data.lerobot.staged import DatasetFeatures, StagedEpisode, StagedRecording
from hwm_core.data.lerobot.stats import FeatureStats, column_stats
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_encoder import Codec


class DatasetWriter:
    """Appends whole recordings. Each of their episodes gets the next number.

    Args:
        folder: folder to create.
        fps: frame rate.
        codec: of the videos.
        camera: video key.
        robot: name of the robot.
    """

    def __init__(self, folder: Path, fps: float, codec: Codec, camera: str, robot: str) -> None:
        folder.mkdir()
        self._folder, self._fps, self._codec, self._camera, self._robot = folder, fps, codec, camera, robot
        self._episodes: list[dict[str, Any]] = []
        self._stats: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}  # {task: task_index}
        self._frames = 0
        self.features: DatasetFeatures | None = None  # of the first recording
        self.sources: list[Recording] = []  # of each episode

    def append(self, staged: StagedRecording) -> None:
        """Add the episodes of a recording that was staged with this writer's `features`."""
        self.features = staged.features
        of_frames = (task for episode in staged.episodes for task in episode.frame_tasks)
        for task in (*staged.tasks, *of_frames):
            self._tasks.setdefault(task, len(self._tasks))
        for episode in staged.episodes:
            number = len(self._episodes)
            stats = self._write_table(episode, number)
            stats[self._camera] = episode.image_stats
            episode.video.rename(v2_files.episode_path(self._folder, "video_path", number, self._camera))
            self._episodes.append(
                {
                    "episode_index": number,
                    "tasks": _tasks_of(staged, episode),
                    "length": episode.frames,
                    "source": staged.recording.name,
                }
            )
            self._stats.append({"episode_index": number, "stats": stats})
            self.sources.append(staged.recording)
            self._frames += episode.frames

    def finish(self) -> None:
        """Write meta/. Requires at least one recording."""
        v2_files.write_metadata(
            self._folder,
            self._robot,
            self._fps,
            self._feature_table(),
            self._episodes,
            self._stats,
            {index: task for task, index in self._tasks.items()},
            videos=len(self._episodes),
        )

    def _write_table(self, episode: StagedEpisode, number: int) -> dict[str, FeatureStats]:
        """Write the rows of an episode. Returns the statistics of every column."""
        count = np.arange(episode.frames, dtype=np.int64)
        columns: dict[str, NDArray] = {}
        if episode.states is not None:
            columns[STATE] = episode.states
        if episode.commands is not None:
            columns[ACTION] = episode.commands
        columns |= {
            "timestamp": (count / self._fps).astype(np.float32),
            "frame_index": count,
            "episode_index": np.full_like(count, number),
            "index": self._frames + count,
            "task_index": np.array([self._tasks[task] for task in episode.frame_tasks], dtype=np.int64),
        }
        arrays = {
            key: pyarrow.array(values)
            if values.ndim == 1
            else pyarrow.array(values[:, 0])  # `datasets` stores a feature of shape [1] as a scalar
            if values.shape[1] == 1
            else pyarrow.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1])
            for key, values in columns.items()
        }
        pyarrow.parquet.write_table(pyarrow.table(arrays), v2_files.episode_path(self._folder, "data_path", number))
        return {key: column_stats(values) for key, values in columns.items()}

    def _feature_table(self) -> dict[str, Any]:
        """`features` of meta/info.json."""
        assert self.features is not None
        joints = {STATE: self.features.state_names, ACTION: self.features.command_names}
        height, width = self.features.image_shape[:2]
        video = {
            "video.height": height,
            "video.width": width,
            "video.codec": self._codec,
            "video.fps": int(self._fps) if self._fps == int(self._fps) else self._fps,
            "video.channels": 3,
            "video.is_depth_map": False,
            "has_audio": False,
        }
        image = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": video,
        }
        return {
            **{
                key: {"dtype": "float32", "shape": [len(names)], "names": list(names)}
                for key, names in joints.items()
                if names
            },
            self._camera: image,
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **{key: {"dtype": "int64", "shape": [1], "names": None} for key in INDEX_COLUMNS},
        }


def _tasks_of(staged: StagedRecording, episode: StagedEpisode) -> list[str]:
    """The tasks of an episode: those of its frames, or all of its recording where every frame has the first."""
    own = list(dict.fromkeys(task for task in episode.frame_tasks if task))
    return list(staged.tasks) if own in ([], [*staged.tasks[:1]]) else own
