"""Replay a recorded run: the model's predictions, compared with what the camera saw next."""

import argparse

from tqdm import tqdm

from hwm_core.evaluation.replay import ReplayConfig, replay
from hwm_core.world_model.model import WorldModel

from .devices import own_device


def replay_bag(options: argparse.Namespace) -> int:
    """Replay the bag and print the table. Raises BadInput for errors of the user."""
    config = ReplayConfig.read(options.config) if options.config else ReplayConfig()
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device), dtype=options.dtype)
    with tqdm(unit="window", desc="predicting") as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        done = replay(options.bag, world_model, options.out, config, progress)
    if done.remarks:
        print(f"{options.bag}: {done.remarks}")
    print(done.table)
    print(*(done.metrics_path, done.table_path, done.sheet_path, done.video_path), sep="\n")
    return 0
