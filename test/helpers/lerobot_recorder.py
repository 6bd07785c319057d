"""Records a small dataset with LeRobot itself, in an environment of its own; run by test_lerobot_itself.py.

    python lerobot_recorder.py FOLDER video|image JOINTS

Three episodes of 12, 9 and 15 frames. Frame n of episode e has joint j at n / 10 + j + e, and its action is twice the
state. Its head image has the grey value 10 n + 30 e + 20 in the upper half, and (200, 80, 30) RGB in the lower one. The
wrist camera shows 200 everywhere. The task of even frames is "wave EPISODE", of odd ones "bow".
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def frame(episode: int, number: int, joints: int) -> dict[str, Any]:
    state = (number / 10 + np.arange(joints) + episode).astype(np.float32)
    head = np.full((48, 64, 3), 10 * number + 30 * episode + 20, np.uint8)
    head[24:] = (200, 80, 30)
    return {
        "observation.state": state,
        "action": 2 * state,
        "next.reward": np.array([0.5], np.float32),
        "observation.images.head": head,
        "observation.images.wrist": np.full((48, 64, 3), 200, np.uint8),
        "task": "bow" if number % 2 else f"wave {episode}",
    }


def record(folder: Path, dtype: str, joints: int) -> None:
    values = {"dtype": "float32", "shape": (joints,), "names": [f"arm_{joint}.pos" for joint in range(joints)]}
    camera = {"dtype": dtype, "shape": (48, 64, 3), "names": ["height", "width", "channels"]}
    features = {
        "observation.state": values,
        "action": values,
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "observation.images.head": camera,
        "observation.images.wrist": camera,
    }
    dataset = LeRobotDataset.create("local/set", 30, features, folder, "so101", use_videos=dtype == "video")
    for episode, length in enumerate((12, 9, 15)):
        for number in range(length):
            dataset.add_frame(frame(episode, number, joints))
        dataset.save_episode()
    dataset.finalize()


record(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
