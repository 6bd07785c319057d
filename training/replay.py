"""Replay a recording: compare the model's predictions with the frames that the camera recorded next.

    python -m training.replay recordings/val/sim_1000000 --checkpoint tiny --out replay_out

writes table.md, metrics.json, contact_sheet.png and prediction.mp4 into replay_out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.evaluation.replay import ReplayConfig, replay
from hwm_core.world_model.model import WorldModel
from training.command_line import run_command
from training.devices import own_device


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status. 0: done; 2: bad input."""
    return run_command(build_parser(), replay_bag, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path, help="rosbag2 folder, or one .mcap or .db3 file")
    parser.add_argument(
        "--checkpoint", default=SHIPPED, help="checkpoint folder; tiny and flow_tiny are included (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("replay_out"), help="folder to write (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML file with topics, horizons, stride, sampling, seed, examples")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    return parser


def replay_bag(options: argparse.Namespace) -> int:
    """Replay the bag and print the table. Raises BadInput for errors of the user."""
    config = ReplayConfig.read(options.config) if options.config else ReplayConfig()
    world_model = WorldModel.load(checkpoint_path(options.checkpoint), device=own_device(options.device))
    with tqdm(unit="window", desc="predicting") as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        done = replay(options.bag, world_model, options.out, config, progress)
    print(done.table)
    print(*(done.metrics_path, done.table_path, done.sheet_path, done.video_path), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
