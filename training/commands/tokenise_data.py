"""Encode the images of both splits of a store as tokens; --prepare first makes the store from recordings.

    hwm tokenize store --tokenizer runs/tokenizer/tokenizer --latents 5 --stride 1 --out tokens
    hwm tokenize recordings --tokenizer runs/tokenizer/tokenizer --latents 5 --stride 1 --out tokens \\
      --prepare --robot g1

Run the same command again to resume. Exit status 0: done; 2: bad input.
"""

import argparse
from pathlib import Path
from typing import get_args

from hwm_core.assets import CHECKPOINT_HELP
from hwm_core.precision_name import PRECISION_HELP, Precision

from .arguments import Parser, add_ranks


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "sources", nargs="+", type=Path, help="a store that hwm prepare wrote; with --prepare: recordings"
    )
    parser.add_argument(
        "--prepare",
        nargs=argparse.REMAINDER,
        metavar="OPTION",
        help="must come last: options of hwm prepare except --out; the store is written to OUT/store",
    )
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help=f"folder of a tokenizer, also of Cosmos or Wan; {CHECKPOINT_HELP}"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write the tokens to; run again to resume")
    parser.add_argument(
        "--latents",
        type=int,
        default=3,
        help="number of latents in a clip: past and future latents of the model (%(default)s)",
    )
    parser.add_argument(
        "--stride",
        type=int,
        help="frames between the starts of clips, for training (default: no overlap, as 1X cuts clips)",
    )
    parser.add_argument(
        "--exact", action="store_true", help="store latents in float32 instead of float16, at twice the size"
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="auto",
        help=f"precision of the encoder: bfloat16, float32, or {PRECISION_HELP} (default: %(default)s)",
    )
    add_ranks(parser)
    parser.add_argument("--batch", type=int, default=8, help="batch size in clips (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..tokenise_data import tokenise_sources

    status = tokenise_sources(options)
    if options.world_size == 1:
        print_next("train", "--data", options.out, "--tokenizer", options.tokenizer, "--out", "runs/model")
    return status
