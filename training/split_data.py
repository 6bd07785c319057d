"""Choose which recordings are kept for validation, as a file for `training.prepare_data --split`.

    python -m training.split_data g1_yellow_bottle --nth 5 --out split.yaml

Exit status 0: done; 1: some data sets were skipped; 2: bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from hwm_core.data.discover import FoundRecordings
from hwm_core.data.episodes.split import split_by_number, split_by_share
from hwm_core.io.atomic import new_file
from training.command_line import positive, run_command
from training.sources import Sources, add_sources, print_skipped


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""

    def work(options: argparse.Namespace) -> int:
        found = Sources.of(options).recordings()
        return split(found, options.out, nth=options.nth, share=options.share, seed=options.seed)

    return run_command(build_parser(), work, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_sources(parser)
    rule = parser.add_mutually_exclusive_group(required=True)
    rule.add_argument(
        "--nth", type=positive, metavar="N", help="validate on recordings whose number is a multiple of N"
    )
    rule.add_argument(
        "--share", type=float, help="validate on about this share of the recordings, chosen by a hash of the name"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice by --share (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="YAML file to write, for training.prepare_data --split")
    return parser


def split(found: FoundRecordings, out: Path, *, nth: int | None, share: float | None, seed: int) -> int:
    """Write the split of the recordings to `out`; returns 1 where data sets were skipped."""
    recordings = found.usable()
    if nth is not None:
        sides = split_by_number(recordings, nth)
    else:
        assert share is not None  # the parser requires one of the two
        sides = split_by_share(recordings, share, seed)
    with new_file(out) as partial:
        partial.write_text(yaml.safe_dump(sides.plain(), sort_keys=False))
    print(f"{out}: {len(sides.training)} recordings for training, {len(sides.validation)} for validation")
    return 1 if print_skipped(found) else 0


if __name__ == "__main__":
    sys.exit(main())
