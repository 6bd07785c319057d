"""Record episodes of the simulated humanoid as rosbag2 (mcap), split into training and validation by seed.

    python -m training.record_sim --out recordings --train 200 --val 20

writes recordings/{train,val}/sim_<seed>, recordings/recording.yaml with the settings, and recordings/robot.yaml with
the joints' units and limits. Bags are written atomically and existing bags are kept: run the same command again to
resume.
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import yaml
from pydantic import Field
from tqdm import tqdm

from hwm_core.config import Config
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.rosbag2.writer import ImageFormat
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import write_text
from hwm_core.sim.description import ROBOT, joints
from hwm_core.sim.gl import mujoco
from hwm_core.sim.recorder import record_episode
from training.command_line import not_negative, positive, run_command

FIRST_SEED = {"train": 0, "val": 1_000_000}  # far apart, so that the splits never share a seed


class RecordingSettings(Config):
    """The settings of all episodes in a folder; with the seed they decide an episode's content."""

    robot: str = ROBOT
    mujoco_version: str = mujoco.__version__
    seconds: float = Field(default=10.0, gt=0, description="length of an episode")
    camera_size: int = Field(default=128, ge=16, le=1024, description="height and width in pixels")
    image_format: ImageFormat = Field(default="png", description="raw, jpeg, or png (lossless)")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""

    def work(options: argparse.Namespace) -> int:
        settings = {name: getattr(options, name) for name in ("seconds", "camera_size", "image_format")}
        episodes = {split: getattr(options, split) for split in FIRST_SEED}
        record(options.out, episodes, RecordingSettings.parse(settings, "command line"), options.processes)
        return 0

    return run_command(build_parser(), work, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the recordings; existing bags are kept")
    parser.add_argument("--train", type=not_negative, default=200, help="training episodes (%(default)s)")
    parser.add_argument("--val", type=not_negative, default=20, help="validation episodes (%(default)s)")
    parser.add_argument(
        "--processes", type=positive, default=os.cpu_count(), help="episodes recorded in parallel (%(default)s)"
    )
    for name in ("seconds", "camera_size", "image_format"):
        field = RecordingSettings.model_fields[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=field.default, help=f"{field.description} (%(default)s)"
        )
    return parser


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
    )
    # Spawned, not forked: every process must open its own GL.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(one, path, seed) for path, seed in _missing_episodes(folder, episodes)]
        try:
            for job in tqdm(as_completed(jobs), total=len(jobs), unit="episode", desc=str(folder)):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _missing_episodes(folder: Path, episodes: Mapping[str, int]) -> Iterator[tuple[Path, int]]:
    for split, count in episodes.items():
        for seed in range(FIRST_SEED[split], FIRST_SEED[split] + count):
            path = folder / split / f"sim_{seed:07d}"
            if not path.exists():
                yield path, seed


def _write_or_check_settings(folder: Path, settings: RecordingSettings) -> None:
    """Write recording.yaml and robot.yaml; where they exist, require that they are the same."""
    for split in FIRST_SEED:
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
        name: Joint(unit=unit, limits=(round(float(lower), 9), round(float(upper), 9)))
        for name, unit, lower, upper in rows
    }
    return Robot(name=ROBOT, joints=described)


if __name__ == "__main__":
    sys.exit(main())
