"""Measure the joints of all recordings and token sets together, as action manifests.

    hwm statistics g1_yellow_bottle --robot g1 --out g1.yaml
    hwm statistics world_model_tokenized_data/train_v2.0 --embodiment 1x_eve --out eve.yaml

Exit status 0: done; 2: bad input.
"""

import argparse
from pathlib import Path

from hwm_core.data.robot.description import read_robot

from .arguments import Parser, add_robot, add_sources


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_sources(parser)
    add_robot(parser, required=True)
    parser.add_argument("--out", type=Path, help="YAML file to write the manifests to")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""

    from ..compute_statistics import compute_statistics
    from ..sources import Sources, read_embodiments

    embodiment = read_embodiments(options.embodiment)
    robot = embodiment.description() if embodiment else read_robot(options.robot)
    return compute_statistics(Sources.of(options), robot, embodiment, options.out)
