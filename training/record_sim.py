"""Record episodes of the simulated humanoid as rosbag2 (mcap), split into training and validation by seed.

    python -m training.record_sim --out recordings --train 200 --val 20

writes recordings/{train,val}/sim_<seed>, recordings/recording.yaml with the settings, and recordings/robot.yaml with
the joints' units and limits. Every bag appears whole or not at all, so a recording that was cut is simply started
again: episodes already there are kept.
"""

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import yaml
from pydantic import Field
from tqdm import tqdm

from hwm_core.config import Config
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.rosbag2.writer import ImageFormat
from hwm_core.errors import BadConfig, BadInput
from hwm_core.io.atomic import write_text
from hwm_core.sim.description import ROBOT, joints
from hwm_core.sim.gl import mujoco
from hwm_core.sim.recorder import record_episode
from training.command_line import not_negative, positive

FIRST_SEED = {"train": 0, "val": 1_000_000}  # far apart: more training episodes never meet the validation ones


class RecordingSettings(Config):
    """What decides the content of an episode beside its seed; kept with the bags, and the same for all of them."""

    robot: str = ROBOT
    mujoco_version: str = mujoco.__version__
    seconds: float = Field(default=10.0, gt=0, description="length of an episode")
    camera_size: int = Field(default=128, ge=16, le=1024, description="pixels, height and width")
    image_format: ImageFormat = Field(default="png", description="raw, jpeg, or png, which loses nothing")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the recordings; those there are kept")
    parser.add_argument("--train", type=not_negative, default=200, help="training episodes (%(default)s)")
    parser.add_argument("--val", type=not_negative, default=20, help="validation episodes (%(default)s)")
    parser.add_argument("--processes", type=positive, default=os.cpu_count(), help="recorded at a time (%(default)s)")
    for name in ("seconds", "camera_size", "image_format"):
        field = RecordingSettings.model_fields[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=field.default, help=f"{field.description} (%(default)s)"
        )
    arguments = vars(parser.parse_args())
    folder, processes = arguments.pop("out"), arguments.pop("processes")
    wanted = {split: arguments.pop(split) for split in FIRST_SEED}
    try:
        record(folder, wanted, RecordingSettings.parse(arguments, "command line"), processes)
    except BadInput as error:
        parser.error(str(error))


def record(folder: Path, wanted: dict[str, int], recording: RecordingSettings, processes: int) -> None:
    """Bring `folder` to the wanted number of episodes for each split.

    Raises:
        BadConfig: the folder holds recordings of other settings.
    """
    _agree(folder, recording)
    missing = list(_missing(folder, wanted))
    one = partial(
        record_episode,
        seconds=recording.seconds,
        camera_size=recording.camera_size,
        image_format=recording.image_format,
    )
    # Spawned, not forked: a process must open GL for itself.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(one, path, seed) for path, seed in missing]
        try:
            for job in tqdm(as_completed(jobs), total=len(jobs), unit="episode", desc=str(folder)):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _missing(folder: Path, wanted: dict[str, int]) -> Iterator[tuple[Path, int]]:
    for split, count in wanted.items():
        for seed in range(FIRST_SEED[split], FIRST_SEED[split] + count):
            path = folder / split / f"sim_{seed:07d}"
            if not path.exists():
                yield path, seed


def _agree(folder: Path, recording: RecordingSettings) -> None:
    """Write what the folder is for, or check that it is for this."""
    for split in FIRST_SEED:
        (folder / split).mkdir(parents=True, exist_ok=True)
    for card, wanted in ((folder / "recording.yaml", recording), (folder / "robot.yaml", _robot())):
        if not card.exists():
            write_text(card, yaml.safe_dump(wanted.plain(), sort_keys=False))
        elif (there := type(wanted).read(card)) != wanted:
            raise BadConfig(
                f"Recordings in {folder}",
                expected=f"{there.plain()}",
                got=f"{wanted.plain()}",
                remedy="Record into another folder, or with the settings of this one.",
            )


def _robot() -> Robot:
    table = joints()
    rows = zip(table.names, table.units, table.lower, table.upper, strict=True)
    # Rounded: MuJoCo keeps a range as its middle and half its width.
    described = {
        name: Joint(unit=unit, limits=(round(float(lower), 9), round(float(upper), 9)))
        for name, unit, lower, upper in rows
    }
    return Robot(name=ROBOT, joints=described)


if __name__ == "__main__":
    main()
