"""Measure how far a checkpoint's predictions of one latent are off on validation data.

    hwm measure-surprise --checkpoint runs/tuned/checkpoint --store store

writes surprise.json into the checkpoint's folder. The node world_model scales its topic ~/surprise by it.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP

from .arguments import Parser, add_dtype, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help=CHECKPOINT_HELP)
    parser.add_argument("--store", type=Path, required=True, help="store that hwm prepare wrote")
    parser.add_argument(
        "--windows", type=positive, default=256, help="maximum number of latents, spread evenly (%(default)s)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add_dtype(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..measure_surprise import measure

    return measure(options)
