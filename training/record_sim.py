"""Record episodes of the simulated humanoid as rosbag2 (mcap), split into training and validation by seed."""

from collections.abc import Iterator, Mapping
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path

import yaml
from pydantic import Field
from tqdm import tqdm

from hwm_core.config import Config
from hwm_core.data.robot.description import Robot
from hwm_core.data.rosbag2.writer import ImageFormat
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import write_text
from hwm_core.io.workers import worker_pool
from hwm_core.sim.description import ROBOT, joints
from hwm_core.sim.gl import mujoco
from hwm_core.sim.motions import Motion
from hwm_core.sim.recorder import record_episode
from hwm_core.sim.seeds import FIRST_SEED, SEEDS_OF_MOTION

SPLITS = ("train", "val")


class RecordingSettings(Config):
    """The settings of all episodes in a folder; with the seed they decide an episode's content."""

    robot: str = ROBOT
    mujoco_version: str = mujoco.__version__
    seconds: float = Field(default=10.0, gt=0, description="length of an episode")
    camera_size: int = Field(default=128, ge=16, le=1024, description="height and width in pixels")
    image_format: ImageFormat = Field(default="png", description="raw, jpeg, or png (lossless)")
    motion: Motion = Field(default="random", description="what the robot does")


def record(folder: Path, episodes: Mapping[str, int], settings: RecordingSettings, processes: int) -> None:
    """Record the episodes that are missing in `folder`.

    Args:
        episodes: number of episodes for each split.

    Raises:
        BadConfig: the folder holds recordings with other settings.
    """
    _write_or_check_settings(folder, settings)
    one = partial(
        record_episode,
        seconds=settings.seconds,
        camera_size=settings.camera_size,
        image_format=settings.image_format,
        motion=settings.motion,
    )
    with worker_pool(processes) as pool:
        jobs = [pool.submit(one, path, seed) for path, seed in _missing_episodes(folder, episodes, settings.motion)]
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="episode", desc=str(folder)):
            job.result()


def _missing_episodes(folder: Path, episodes: Mapping[str, int], motion: Motion) -> Iterator[tuple[Path, int]]:
    for split, count in episodes.items():
        first = FIRST_SEED[split] + SEEDS_OF_MOTION[motion]
        for seed in range(first, first + count):
            path = folder / split / f"sim_{seed:07d}"
            if not path.exists():
                yield path, seed


def _write_or_check_settings(folder: Path, settings: RecordingSettings) -> None:
    """Write recording.yaml and robot.yaml; where they exist, require that they are the same."""
    for split in SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
    for path, wanted in ((folder / "recording.yaml", settings), (folder / "robot.yaml", _robot())):
        if not path.exists():
            write_text(path, yaml.safe_dump(wanted.plain(), sort_keys=False))
        elif (existing := type(wanted).read(path)) != wanted:
            raise BadConfig(
                f"Recordings in {folder}",
                expected=f"{existing.plain()}",
                got=f"{wanted.plain()}",
                remedy="Record into another folder, or with the settings of this folder.",
            )


def _robot() -> Robot:
    table = joints()
    rows = zip(table.names, table.units, table.lower, table.upper, strict=True)
    # Rounded, because MuJoCo stores a range as its centre and half its width.
    described = {
        name: {"unit": unit, "limits": (round(float(lower), 9), round(float(upper), 9))}
        for name, unit, lower, upper in rows
    }
    return Robot.parse({"name": ROBOT, "joints": described}, where="simulated robot")
