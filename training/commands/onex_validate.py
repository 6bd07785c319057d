"""Check an archive of the compression track of the 1X World Model Challenge, and report the first error.

    hwm 1x validate submission.zip --data test_v2.0

Exit status 0: the archive is valid; 1: it is not; 2: bad input.
"""

import argparse
import sys
from pathlib import Path

from hwm_core.errors import BadInput

from .arguments import Parser, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("archive", type=Path, help="zip file that `hwm 1x compress` wrote")
    parser.add_argument("--data", type=Path, help="the test set: the archive must contain exactly its samples")
    parser.add_argument("--shape", type=positive, nargs=3, default=(3, 32, 32), help="grids, height, width (3 32 32)")
    parser.add_argument("--vocabulary", type=positive, default=64_000, help="number of codes (%(default)s)")
    parser.add_argument("--top", type=positive, default=500, help="ranked codes per token (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status."""
    from ..onex import validate

    try:
        return validate(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1
