"""Reads a dataset with LeRobot itself, in an environment of its own; run by test_lerobot_itself.py.

    python lerobot_reader.py FOLDER

prints a JSON list with the mean grey value, state, action, task and episode of each frame. LeRobot 0.4.4 decodes videos
with torchvision.io.VideoReader. Where torchvision no longer has it, PyAV stands in; all checks of timestamps are
LeRobot's own.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import av
import torch
import torchvision
from lerobot.datasets.lerobot_dataset import LeRobotDataset


class VideoReader:
    """The part of torchvision.io.VideoReader that LeRobot uses."""

    def __init__(self, path: str, stream: str) -> None:
        self._container, self._start = av.open(path), 0.0
        self.container = self._container

    def seek(self, seconds: float, keyframes_only: bool = True) -> None:
        self._start = seconds

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._container.seek(0)
        for frame in self._container.decode(video=0):
            if frame.time >= self._start - 1e-3:
                yield {"data": torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1), "pts": frame.time}


if not hasattr(torchvision.io, "VideoReader"):
    torchvision.io.VideoReader = VideoReader
    torchvision.set_video_backend = lambda backend: None


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    dataset = LeRobotDataset("local/dataset", root=folder, video_backend="pyav")
    for index in range(len(dataset)):
        row = dataset[index]
        (camera,) = [key for key in row if key.startswith("observation.images")]
        yield {
            "grey": 255 * float(row[camera].mean()),
            "state": row["observation.state"].reshape(-1).tolist(),
            "action": row["action"].reshape(-1).tolist(),
            "task": row["task"],
            "episode": int(row["episode_index"]),
        }


print(json.dumps(list(rows(Path(sys.argv[1])))))
