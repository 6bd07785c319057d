"""Read recordings, data sets, stores or token sets completely, and report what is wrong with them.

    hwm verify g1_yellow_bottle

Exit status 0: no faults; 1: faults were found; 2: bad input.
"""

import argparse

from .arguments import Parser, add_paths, add_read_options


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_paths(parser)
    add_read_options(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..sources import ReadOptions
    from ..verify_data import verify

    status = verify(options.sources, ReadOptions.of(options))
    if status == 0:
        print_next("inspect", *options.sources, *ReadOptions.of(options).words())
    return status
