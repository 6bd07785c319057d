"""Play a recorded run back: what a world model predicts, against what the camera then saw.

    python -m training.replay recordings/val/sim_1000000 --checkpoint tiny --out replay_out

writes table.md, metrics.json, contact_sheet.png and prediction.mp4 into replay_out.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.errors import BadInput
from hwm_core.evaluation.replay import ReplayConfig, replay
from hwm_core.world_model.model import WorldModel
from training.devices import own_device


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path, help="rosbag2 folder, or one .mcap or .db3 file")
    parser.add_argument("--checkpoint", default=SHIPPED, help="a checkpoint's folder, or tiny or flow_tiny, which ship")
    parser.add_argument("--out", type=Path, default=Path("replay_out"), help="folder to write (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML of topics, horizons, stride, sampling, seed, examples")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    arguments = parser.parse_args()
    try:
        config = ReplayConfig.read(arguments.config) if arguments.config else ReplayConfig()
        world_model = WorldModel.load(checkpoint_path(arguments.checkpoint), device=own_device(arguments.device))
        with tqdm(unit="window", desc="predicting") as bar:

            def progress(done: int, of: int) -> None:
                bar.total = of
                bar.update(done - bar.n)

            done = replay(arguments.bag, world_model, arguments.out, config, progress)
    except BadInput as error:
        parser.error(str(error))
    print(done.table)
    print(*(done.metrics_path, done.table_path, done.sheet_path, done.video_path), sep="\n")


if __name__ == "__main__":
    main()
