"""Convert recordings to rosbag2 or LeRobot, and report what the new format cannot store.

    hwm convert g1_yellow_bottle --episodes 5 15 --to rosbag2 --out bags
    hwm convert recordings --to lerobot-v3.0 --out set

Exit status 0: all recordings were converted; 1: some were skipped; 2: bad input.
"""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import get_args

from hwm_core.data.recording.video_encoder import Codec
from hwm_core.data.rosbag2.writer import ImageFormat

from .arguments import Parser, add_sources


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_sources(parser)
    parser.add_argument(
        "--to", required=True, choices=("rosbag2", "lerobot-v2.1", "lerobot-v3.0"), help="format to write"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; existing bags in it are kept")
    parser.add_argument(
        "--image-format",
        choices=get_args(ImageFormat),
        default="jpeg",
        help="format of the images in bags (%(default)s)",
    )
    parser.add_argument(
        "--codec",
        choices=get_args(Codec),
        help="video codec for LeRobot (default: av1; between LeRobot versions: copied)",
    )
    parser.add_argument("--fps", type=float, help="frame rate for LeRobot (default: the camera's rate)")
    parser.add_argument("--task", help="task description for LeRobot (default: the source's)")
    parser.add_argument("--robot", help="robot name for LeRobot (default: the source's)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..convert_data import ConvertOptions, convert
    from ..next_command import print_next
    from ..sources import Sources

    chosen = ConvertOptions(**{field.name: getattr(options, field.name) for field in fields(ConvertOptions)})
    status = convert(Sources.of(options), options.out, chosen)
    print_next("inspect", options.out)
    return status
