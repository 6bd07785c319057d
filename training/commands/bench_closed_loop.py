"""Run tasks of the simulated humanoid in closed loop, with world models, baselines and oracles. Without ROS.

    hwm bench closed-loop --checkpoint tiny --tasks reach --rows hold random model --episodes 5 --out loop.json
    hwm bench closed-loop --checkpoint runs/model/checkpoint --baselines baselines --split closed_loop --out table.json

prints a table: success at the end with Wilson's interval and at the closest approach, final error, predicted futures
and processor time of a decision. Finished episodes are kept in --out: run the same command again to resume.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP

from .arguments import Parser, add_closed_loop_arguments


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--rows",
        nargs="+",
        help="rows of the table, such as hold and model; docs/evaluation.md lists them (default: all that the other"
        " options allow)",
    )
    parser.add_argument("--checkpoint", help=CHECKPOINT_HELP)
    parser.add_argument("--baselines", type=Path, help="folder of `hwm bench fit-baselines`")
    parser.add_argument("--main", default="model", help="row that the others are compared with (%(default)s)")
    parser.add_argument("--films", type=Path, help="folder for a film of every episode")
    add_closed_loop_arguments(parser, "episodes")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_closed_loop import run_closed_loop

    return run_closed_loop(options)
