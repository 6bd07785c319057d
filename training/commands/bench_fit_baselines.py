"""Train the baselines of the closed loop on a store: controllers that have no world model.

    hwm bench fit-baselines --data store --out baselines --minutes 5

trains a read-out of the posture and a goal-conditioned inverse model, each for --minutes of processor time, and notes
the store, whose motions a third baseline replays. They learn from images, joint positions and commands alone.
"""

import argparse
from pathlib import Path

from .arguments import Parser, positive_number, seed


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="an episode store with states and commands")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--minutes", type=positive_number, default=5.0, help="processor minutes of each network (%(default)s)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of weights and samples (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_fit_baselines import fit

    return fit(options)
