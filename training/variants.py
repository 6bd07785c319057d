"""Print the table of the paper's eight models, computed from the code; --out also writes their parameter counts.

python -m training.variants --out benchmarks/results/variants.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hwm_core.io.atomic import write_text
from hwm_core.world_model.variants import markdown, parameters, summaries
from training.command_line import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status. 0: done; 2: bad input."""
    return run_command(build_parser(), print_variants, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write: {family: {variant: parameters}}")
    return parser


def print_variants(options: argparse.Namespace) -> int:
    """Print the table and write the file."""
    found = summaries()
    print(markdown(found), end="")
    if options.out:
        write_text(options.out, json.dumps(parameters(found), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
