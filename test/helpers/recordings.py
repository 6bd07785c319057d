"""Small recordings, written message by message."""

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from untrained import JOINTS

from hwm_core.data.discover import find_recordings
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.recording import Recording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter, ImageFormat

START = 100_000_000_000
PERIOD = 33_333_333  # ns, of a 30 Hz camera
NAMES = ("neck", "elbow", "wrist")
TOPICS = Topics()
PREPROCESSING = Preprocessing(source_aspect=4 / 3, height=12, width=12)


@dataclass(frozen=True)
class Message:
    """One message of a run: an image [H, W, 3], or (names, positions), or bytes for a truncated message."""

    topic: str
    stamp_ns: int
    content: Any


def grey_image(value: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def run(frames: int = 40, start: int = START) -> list[Message]:
    """Frame t, at `start` + t periods, has the grey value t. The state is (t, 10 t, -t), measured three times a period.
    At frame t, the value t is commanded to every joint."""
    messages = []
    for t in range(frames):
        stamp = start + t * PERIOD
        for third in range(3):
            x = t + third / 3
            messages.append(Message(TOPICS.joint_states, stamp + third * PERIOD // 3, (NAMES, (x, 10 * x, -x))))
        messages.insert(-2, Message(TOPICS.image, stamp, grey_image(t)))
        messages.insert(-2, Message(TOPICS.commands, stamp, (NAMES, (t, t, t))))
    return messages


def record(path: Path, messages: list[Message], image_format: ImageFormat = "raw") -> Path:
    """Write the messages in this order, received 1 ms apart, whatever their stamps."""
    with BagWriter(path) as bag:
        for number, message in enumerate(messages):
            received = START + number * 1_000_000
            if isinstance(message.content, np.ndarray):
                topic = message.topic if image_format == "raw" else f"{message.topic}/compressed"
                bag.write_image(topic, message.stamp_ns, message.content, image_format, received_ns=received)
            elif isinstance(message.content, bytes):
                bag.write_serialized(message.topic, "sensor_msgs/msg/JointState", message.content, received)
            else:
                bag.write_joints(message.topic, message.stamp_ns, *message.content, received_ns=received)
    return path


def recording_at(path: Path, number: int | None = None, camera: str | None = None) -> Recording:
    """The one recording at `path`, or the one with this number."""
    (found,) = [one for one in find_recordings(path, TOPICS, camera) if number in (None, one.number)]
    return found


def lerobot_dataset(path: Path, episodes: tuple[int, ...] = (0, 3), frames: int = 20, codec: str = "mpeg4") -> Path:
    """A LeRobot v2.1 folder. Its info.json counts too many episodes and lists a camera without files."""
    joints = {"dtype": "float32", "shape": [3], "names": [list(NAMES)]}
    info = {
        "codebase_version": "v2.1",
        "total_episodes": 100,
        "fps": 30,
        "features": {
            "observation.state": joints,
            "action": joints,
            "observation.images.head": {"dtype": "video", "shape": [48, 64, 3]},
            "observation.images.absent": {"dtype": "video", "shape": [48, 64, 3]},
        },
    }
    (path / "meta").mkdir(parents=True)
    (path / "meta" / "info.json").write_text(json.dumps(info))
    (path / "data" / "chunk-000").mkdir(parents=True)
    (path / "videos" / "chunk-000" / "observation.images.head").mkdir(parents=True)
    for number in episodes:
        t = np.arange(frames, dtype=np.float32)
        table = {
            "timestamp": t / np.float32(30),
            "observation.state": np.stack([t, 10 * t, -t], axis=1).tolist(),
            "action": np.stack([t, t, t], axis=1).tolist(),
        }
        pyarrow.parquet.write_table(pyarrow.table(table), path / f"data/chunk-000/episode_{number:06d}.parquet")
        write_video(path / f"videos/chunk-000/observation.images.head/episode_{number:06d}.mp4", frames, codec)
    return path


def write_video(
    path: Path, frames: int, codec: str, height: int = 48, step: int = 10, rate: int = 30, **options: str
) -> None:
    """A video, 64 pixels wide, whose frame t has the grey value `step` t modulo 256."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv420p"
        for t in range(frames):
            image = grey_image(step * t % 256, height, 64)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def real_data(folder: str) -> Path:
    """A folder of the real recordings; skips the test without them."""
    root = os.environ.get("HWM_REAL_DATA")
    if not root:
        pytest.skip("HWM_REAL_DATA is not set to the directory of real recordings")
    return Path(root) / folder


def record_drift(
    path: Path, frames: int = 60, joints: tuple[str, ...] = JOINTS, width: int = 16, gap: bool = False
) -> Path:
    """A square drifts over a grey image, and the joint commands oscillate. `gap`: the camera pauses for 1 s halfway."""
    with BagWriter(path) as bag:
        for number in range(-1, frames):
            stamp = 1_000_000_000 + (number + 30 * (gap and number >= frames // 2)) * PERIOD
            values = 0.5 * np.sin(0.2 * number + np.arange(len(joints)))
            bag.write_joints(Topics().commands, stamp, joints, values)
            if number >= 0:
                image = np.full((16, width, 3), 90, np.uint8)
                image[4:9, number % 12 : number % 12 + 4] = (220, 140, 30)
                bag.write_image(Topics().image, stamp, image)
    return path
