"""Measure how well a world model ranks candidate actions in the simulated reach task, for each seed.

    hwm rank --checkpoint tiny --seeds 20

prints Spearman's correlation between predicted cost and true palm-to-goal distance, and the top-1 regret: how
much worse the candidate with the lowest predicted cost is than the best candidate (0: equal; 1: the worst). The
simulator columns apply the same cost to the true outcome: they show the limit of the cost itself.
"""

import argparse
from pathlib import Path

from hwm_core.assets import SHIPPED
from hwm_core.sim.seeds import FIRST_SEED

from .arguments import Parser, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--checkpoint", default=SHIPPED, help="checkpoint folder; tiny and flow_tiny are included (%(default)s)"
    )
    parser.add_argument("--seeds", type=positive, default=10, help="number of tasks (%(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED["held_out"], help="seed of the first task (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML file with planner, objective, scoring, max_velocity")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..rank_actions import rank_candidates

    return rank_candidates(options)
