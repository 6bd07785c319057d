"""Measure how a world model's costs rank candidate actions, against what the candidates do in the simulator.

    hwm bench ranking --checkpoint tiny --tasks reach push --episodes 10 --out ranking.json

scores the same candidates from the true images, from the true images through the tokenizer, and from the model's
predictions, at the start and near the goal. The table tells an error of the cost from an error of the model. Finished
tasks are kept in --out: run the same command again to resume.
"""

import argparse

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT

from .arguments import Parser, add_closed_loop_arguments, positive

PLACES = ("start", "near")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--checkpoint", default=DEFAULT, help=f"{CHECKPOINT_HELP} (%(default)s)")
    parser.add_argument(
        "--places", nargs="+", choices=PLACES, default=PLACES, help="where the robot is (default: both)"
    )
    parser.add_argument("--candidates", type=positive, default=48, help="at least 5 (%(default)s)")
    add_closed_loop_arguments(parser, "tasks")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_ranking import run_ranking

    return run_ranking(options)
