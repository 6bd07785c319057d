"""Replay a recording: compare the model's predictions with the frames that the camera recorded next.

    hwm replay recordings/val/sim_1000000 --checkpoint tiny --out replay_out

writes table.md, metrics.json, contact_sheet.png and prediction.mp4 into replay_out.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT

from .arguments import Parser, add_dtype


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("bag", type=Path, help="rosbag2 folder, or one .mcap or .db3 file")
    parser.add_argument("--checkpoint", default=DEFAULT, help=f"{CHECKPOINT_HELP} (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("replay_out"), help="folder to write (%(default)s)")
    parser.add_argument(
        "--config", type=Path, help="YAML file with topics, stamps, horizons, stride, sampling, seed, examples"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add_dtype(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..replay import replay_bag

    return replay_bag(options)
