"""Repeat tables 1 and 2 of the Humanoid World Models paper end to end: all eight models, trained and evaluated.

    hwm paper-tables --scale tiny --data store --out runs/paper_tiny --minutes 3
    hwm paper-tables --scale paper --data store256 --out runs/paper --device cuda --extractor inception=FILE

trains a tokenizer for each family (unless one is given) and every variant, evaluates them with `--protocol paper`, and
writes --out/tables.md and tables.json. Run the same command again to resume. Exit status 0: done; 1: stopped early.
"""

import argparse
from pathlib import Path

from .arguments import Parser, positive, positive_number

SCALES = ("tiny", "paper")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--scale", choices=SCALES, default="tiny", help="size of models and data (%(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="an episode store")
    parser.add_argument("--masked-tokenizer", type=Path, help="folder of a discrete tokenizer (default: train one)")
    parser.add_argument("--flow-tokenizer", type=Path, help="folder of a continuous tokenizer (default: train one)")
    parser.add_argument("--out", type=Path, required=True, help="folder for all runs; run again to resume")
    parser.add_argument(
        "--minutes", type=positive_number, help="processor time of each training (default: the preset's budget)"
    )
    parser.add_argument("--max-windows", type=positive, help="evaluated windows, spread evenly (2625)")
    parser.add_argument("--extractor", nargs="+", default=[], metavar="KIND=FILE", help="as of hwm evaluate: FID")
    parser.add_argument("--repeats", type=positive, default=3, help="timed predictions of each model (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="section.key=value", help="overrides for all presets")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..paper_tables import paper_tables

    return paper_tables(options)
