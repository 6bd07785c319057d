"""LeRobot v2 datasets: read into episodes, or convert to rosbag2. What counts is the files on disk, not info.json."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.assembly import Assembly, ReadReport
from hwm_core.data.bag import BagWriter, Topics
from hwm_core.data.preprocessing import Preprocessing
from hwm_core.errors import BadBag
from hwm_core.types import Episode

# LeRobot's clock starts at 0, which in ROS means "no stamp".
_START_NS = 1_000_000_000


@dataclass(frozen=True)
class LeRobotDataset:
    """An opened dataset; episodes go by number."""

    path: Path
    state_names: tuple[str, ...]
    command_names: tuple[str, ...]
    episodes: tuple[int, ...]  # numbers with a parquet file
    cameras: tuple[str, ...]  # video keys with files

    def camera(self, key: str | None = None) -> str:
        """The video key to use; None is enough where there is one. Raises BadBag naming those there are."""
        if key is None and len(self.cameras) == 1:
            return self.cameras[0]
        if key not in self.cameras:
            raise BadBag(
                f"Dataset {self.path}",
                expected="a camera to be chosen" if key is None else f"videos of `{key}`",
                got=f"videos of {', '.join(self.cameras) or 'no camera'}",
                remedy="Name one of these.",
            )
        return key


@dataclass(frozen=True)
class Sample:
    """One row: a picture, the state with it, and the command issued at it."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3]
    state: NDArray[np.float64]  # [A]
    command: NDArray[np.float64]  # [A]


def open_lerobot(path: str | Path) -> LeRobotDataset:
    """Look at a dataset folder. Raises BadBag when it is none, is empty, or is of another format version."""
    path = Path(path)
    try:
        info = json.loads((path / "meta" / "info.json").read_text())
        version, features = str(info["codebase_version"]), info["features"]
        state, command = features["observation.state"], features["action"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadBag(
            f"Dataset {path}",
            expected="a LeRobot folder whose meta/info.json describes observation.state and action",
            got=f"{type(error).__name__}: {error}",
            remedy="Check the path.",
        ) from error
    if not version.startswith("v2."):
        raise BadBag(f"Dataset {path}", expected="format v2.0 or v2.1", got=version, remedy="Convert it with LeRobot.")
    episodes = tuple(sorted(int(file.stem.split("_")[-1]) for file in path.glob("data/*/episode_*.parquet")))
    if not episodes:
        raise BadBag(f"Dataset {path}", expected="data/*/episode_*.parquet", got="none", remedy="Download the data.")
    return LeRobotDataset(
        path=path,
        state_names=_names(state),
        command_names=_names(command),
        episodes=episodes,
        cameras=tuple(sorted({file.parent.name for file in path.glob("videos/*/*/episode_*.mp4")})),
    )


def samples(dataset: LeRobotDataset, number: int, camera: str | None = None) -> Iterator[Sample]:
    """The rows of one episode, in order.

    Raises:
        BadBag: files are missing, damaged, or of different lengths; the last is known only at the end.
    """
    stamps, states, commands = _read_table(dataset, number)
    pictures = _decode(_file(dataset, f"videos/*/{dataset.camera(camera)}/episode_{number:06d}.mp4"))
    for row, rgb in zip_longest(range(len(stamps)), pictures):
        if row is None or rgb is None:
            raise BadBag(
                f"Episode {number} of {dataset.path}",
                expected=f"a video of {len(stamps)} frames, one per row",
                got="more frames" if row is None else f"{row} frames",
                remedy="The video or the table was cut; download it again.",
            )
        yield Sample(int(stamps[row]), rgb, states[row], commands[row])


def read_lerobot(
    dataset: LeRobotDataset,
    number: int,
    preprocessing: Preprocessing,
    camera: str | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Episode, ReadReport]:
    """One episode, as `read_bag` gives it after `lerobot_to_rosbag2`. Raises as `samples` and `Assembly.finish`."""
    assembly = Assembly(episode_name(dataset, number), preprocessing, names)
    for sample in samples(dataset, number, camera):
        with assembly.taking("states"):
            assembly.add_states(sample.stamp_ns, dataset.state_names, sample.state)
        with assembly.taking("images"):
            assembly.add_image(sample.stamp_ns, sample.rgb)
        with assembly.taking("commands"):
            assembly.add_commands(sample.stamp_ns, dataset.command_names, sample.command)
    return assembly.finish()


def lerobot_to_rosbag2(
    dataset: LeRobotDataset,
    number: int,
    bag: str | Path,
    topics: Topics,
    camera: str | None = None,
    form: Literal["raw", "jpeg", "png"] = "jpeg",
) -> None:
    """Write one episode as a rosbag2 folder: pictures, joint states at their stamps, commands where they were issued.

    Compressed pictures go to the image topic's `/compressed`, as image_transport names it. Raises as `samples`.
    """
    image_topic = topics.image if form == "raw" else f"{topics.image}/compressed"
    with BagWriter(bag) as writer:
        for sample in samples(dataset, number, camera):
            writer.write_joints(topics.joint_states, sample.stamp_ns, dataset.state_names, sample.state)
            writer.write_image(image_topic, sample.stamp_ns, sample.rgb, form, frame_id="head_camera")
            writer.write_joints(topics.commands, sample.stamp_ns, dataset.command_names, sample.command)


def episode_name(dataset: LeRobotDataset, number: int) -> str:
    """Name of an episode, its number at the end."""
    return f"{dataset.path.name}_{number:06d}"


def _names(feature: dict[str, Any]) -> tuple[str, ...]:
    """Joint names of a feature: published as a list, a list of lists, or a mapping of lists; numbered where absent."""
    names = feature.get("names") or []
    if isinstance(names, dict):
        names = list(names.values())
    flat = list(chain.from_iterable(name if isinstance(name, list) else [name] for name in names))
    size = int(feature["shape"][0])
    return tuple(map(str, flat)) if len(flat) == size else tuple(f"joint_{index}" for index in range(size))


def _file(dataset: LeRobotDataset, pattern: str) -> Path:
    found = sorted(dataset.path.glob(pattern))
    if not found:
        raise BadBag(f"Dataset {dataset.path}", expected=pattern, got="no such file", remedy="Choose another episode.")
    return found[0]


def _read_table(
    dataset: LeRobotDataset, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    path = _file(dataset, f"data/*/episode_{number:06d}.parquet")
    try:
        table = pyarrow.parquet.read_table(path, columns=["timestamp", "observation.state", "action"])
        seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64)
        states = np.asarray(table["observation.state"].to_pylist(), dtype=np.float64)
        commands = np.asarray(table["action"].to_pylist(), dtype=np.float64)
        if not np.isfinite(seconds).all():
            raise ValueError("a timestamp is missing")
        stamps = _START_NS + np.rint(seconds * 1e9).astype(np.int64)
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise BadBag(
            f"Table {path}",
            expected="columns timestamp, observation.state and action",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was cut or is of another format; download it again.",
        ) from error
    return stamps, states, commands


def _decode(path: Path) -> Iterator[NDArray[np.uint8]]:
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield frame.to_ndarray(format="rgb24")
    except (av.error.FFmpegError, IndexError) as error:
        raise BadBag(
            f"Video {path}",
            expected="a video PyAV can decode",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was cut, or this PyAV lacks its codec (AV1 needs libdav1d).",
        ) from error
