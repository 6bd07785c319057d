"""Write the archive of the compression track of the 1X World Model Challenge: ranked codes of every future token.

    hwm 1x compress --checkpoint runs/x/checkpoint --data test_v2.0 --out submission.zip
    hwm 1x compress --checkpoint runs/x/checkpoint --data val_v2.0 --out val.zip --limit 450

If the true tokens are known, a report, tables and a model card are also written next to the archive (val.json,
val.table.md, val.MODEL_CARD.md). A stopped command resumes when it is called again. docs/challenge.md explains the
numbers.
"""

import argparse

from .arguments import Parser, add_track_arguments, positive, seed


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    data = "a test set (video_i.bin, states_i.bin), or a token set"
    add_track_arguments(parser, "float32", data, "steps=2 parallel=false")
    parser.add_argument("--batch", type=positive, default=4, help="batch size in samples (%(default)s)")
    parser.add_argument("--top", type=positive, default=500, help="ranked codes per token (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of the sampling (%(default)s)")
    parser.add_argument("--name", default="{number}.npz", help="file names inside the archive (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..onex import write_submission

    return write_submission(options)
