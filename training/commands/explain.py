"""Show the cost around a motion that reaches the goal: is it lowest there, and how far does it slope?

    hwm explain --checkpoint tiny --task reach --out explain.png

draws the cost along each planned joint and along random directions, beside the images at the start, at the goal, and at
the predicted end of the motion. --simulator predicts with the simulator: what remains then is an error of the cost.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT

from .arguments import TASKS, Parser, seed

_SEED = 2_400_000  # the first of the seeds for tuning


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--checkpoint", default=DEFAULT, help=f"{CHECKPOINT_HELP} (%(default)s)")
    parser.add_argument("--task", choices=TASKS, default="reach", help="kind of task (%(default)s)")
    parser.add_argument("--seed", type=seed, default=_SEED, help="seed of the task (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML file with the settings of planning")
    parser.add_argument("--simulator", action="store_true", help="predict with the simulator instead of the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("explain.png"), help="image to write (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..explain import explain_costs

    return explain_costs(options)
