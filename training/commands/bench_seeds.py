"""List the first seeds that give a task, for each task of the closed loop, before a final run.

    hwm bench seeds --out benchmarks/closed_loop/seeds.json

lists 50 seeds a task from 2,300,000 on for the final table, and 50 from 2,400,000 on for development.
"""

import argparse
from pathlib import Path

from .arguments import Parser, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--count", type=positive, default=50, help="seeds of each task and split (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_closed_loop import write_seeds

    return write_seeds(options)
