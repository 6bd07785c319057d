"""Record episodes of the simulated humanoid as rosbag2 (mcap), split into training and validation by seed.

    hwm sim record --out recordings --train 200 --val 20

writes recordings/{train,val}/sim_<seed>, recordings/recording.yaml with the settings, and recordings/robot.yaml with
the joints' units and limits. Bags are written atomically and existing bags are kept: run the same command again to
resume.
"""

import argparse
import os
from pathlib import Path

from .arguments import Parser, not_negative, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the recordings; existing bags are kept")
    parser.add_argument("--train", type=not_negative, default=200, help="training episodes (%(default)s)")
    parser.add_argument("--val", type=not_negative, default=20, help="validation episodes (%(default)s)")
    parser.add_argument(
        "--processes", type=positive, default=os.cpu_count(), help="episodes recorded in parallel (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an episode in seconds (%(default)s)")
    parser.add_argument("--camera-size", type=int, default=128, help="height and width in pixels (%(default)s)")
    parser.add_argument(
        "--image-format", choices=("raw", "jpeg", "png"), default="png", help="png is lossless (%(default)s)"
    )
    parser.add_argument(
        "--motion",
        choices=("random", "skills", "planner"),
        default="random",
        help="random motion; pushes, sweeps, picks and corrections; or what a planner tries (%(default)s)",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..record_sim import SPLITS, RecordingSettings, record

    settings = {name: getattr(options, name) for name in ("seconds", "camera_size", "image_format", "motion")}
    episodes = {split: getattr(options, split) for split in SPLITS}
    record(options.out, episodes, RecordingSettings.parse(settings, "command line"), options.processes)
    robot = ("--robot", options.out / "robot.yaml", "--out", "store")
    print_next("prepare", options.out / "train", "--validation", options.out / "val", *robot)
    return 0
