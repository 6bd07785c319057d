"""Measure how a world model's costs rank candidate actions, against what the candidates do in the simulator.

    hwm bench ranking --checkpoint tiny --tasks reach push --episodes 10 --out ranking.json

scores the same candidates from the true images, from the true images through the tokenizer, and from the model's
predictions, at the start and near the goal. The table tells an error of the cost from an error of the model. Finished
tasks are kept in --out: run the same command again to resume.
"""

import argparse
from pathlib import Path

from hwm_core.assets import SHIPPED

from .arguments import Parser, positive
from .bench_closed_loop import SEEDS, TASKS

PLACES = ("start", "near")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--checkpoint", default=SHIPPED, help="checkpoint folder; tiny and flow_tiny are included (%(default)s)"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="tasks (default: all)")
    parser.add_argument(
        "--places", nargs="+", choices=PLACES, default=PLACES, help="where the robot is (default: both)"
    )
    parser.add_argument("--candidates", type=positive, default=48, help="at least 5 (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML file with the settings of planning")
    parser.add_argument(
        "--split",
        choices=("development", "closed_loop"),
        default="development",
        help="seeds for tuning, or the seeds of the final table (%(default)s)",
    )
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="file with the accepted seeds (%(default)s)")
    parser.add_argument("--episodes", type=positive, help="seeds of each task (default: all listed seeds)")
    parser.add_argument("--workers", type=positive, default=1, help="tasks in parallel (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write or to resume")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_ranking import run_ranking

    return run_ranking(options)
