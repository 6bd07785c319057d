"""Choose which recordings are kept for validation, as a file for `hwm prepare --split`.

    hwm split g1_yellow_bottle --nth 5 --out split.yaml

Exit status 0: done; 1: some data sets were skipped; 2: bad input.
"""

import argparse
from pathlib import Path

from .arguments import Parser, add_sources, positive, positive_number, seed


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_sources(parser)
    rule = parser.add_mutually_exclusive_group(required=True)
    rule.add_argument(
        "--nth", type=positive, metavar="N", help="validate on recordings whose number is a multiple of N"
    )
    rule.add_argument(
        "--share",
        type=positive_number,
        help="validate on about this share of the recordings, chosen by a hash of the name",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the choice by --share (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="YAML file to write, for hwm prepare --split")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..sources import ReadOptions, Sources
    from ..split_data import split

    found = Sources.of(options).recordings()
    status = split(found, options.out, nth=options.nth, share=options.share, seed=options.seed)
    reading = ReadOptions.of(options).words()
    print_next("prepare", *options.sources, *reading, "--robot", "robot.yaml", "--split", options.out, "--out", "store")
    return status
