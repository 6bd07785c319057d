"""Print the table of the paper's eight models, computed from the code.

    hwm variants --out benchmarks/results/variants.json

--out also writes their parameter counts.
"""

import argparse
from pathlib import Path

from .arguments import Parser


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write: {family: {variant: parameters}}")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..variants import print_variants

    return print_variants(options)
