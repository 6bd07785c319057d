"""Measure recordings and token sets: rates, joints, delays, suspicious values. --sheets also draws contact sheets.

    hwm inspect recordings --embodiment unitree_g1_inspire --sheets sheets
    hwm inspect world_model_tokenized_data --embodiment 1x_eve

Exit status 0: done; 1: some recordings or sets were skipped; 2: bad input.
"""

import argparse
from pathlib import Path

from hwm_core.data.robot.description import read_robot

from .arguments import Parser, add_robot, add_sources


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_sources(parser)
    add_robot(parser, required=False)
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each recording")
    parser.add_argument("--dimensions", action="store_true", help="also print a line for each joint")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..inspect_data import inspect_sources
    from ..sources import Sources, read_embodiments

    embodiment = read_embodiments(options.embodiment)
    robot = read_robot(options.robot) if options.robot and not embodiment else None
    how = {"sheets": options.sheets, "dimensions": options.dimensions}
    return inspect_sources(Sources.of(options), robot, embodiment, **how)
