"""Reach goal images with the simulated humanoid in closed loop, by planning in a world model, without ROS.

    hwm reach --checkpoint tiny --seeds 5 --out reach_out

writes reach.json and an image strip for each seed. --simulator plans with the simulator itself, as an upper bound.
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
    parser.add_argument("--seeds", type=positive, default=5, help="number of episodes (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=FIRST_SEED["held_out"], help="seed of the first episode (%(default)s)"
    )
    parser.add_argument(
        "--config", type=Path, help="YAML file with planner, objective, scoring, max_velocity, replan_frames"
    )
    parser.add_argument("--simulator", action="store_true", help="plan with the simulator instead of the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("reach_out"), help="folder to write (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..reach import reach_goals

    return reach_goals(options)
