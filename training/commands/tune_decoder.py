"""Fine-tune a checkpoint's decoder on the mean latents that its world model predicts. All tokens stay the same.

    hwm tune-decoder --preset tiny --data store --checkpoint runs/tiny/checkpoint --out runs/tuned

writes runs/tuned/checkpoint.
"""

import argparse
from pathlib import Path

from .arguments import training_parser


def build_parser() -> argparse.ArgumentParser:
    parser = training_parser(__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder that hwm train wrote")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..run import run_training
    from ..tune_decoder import tune

    return run_training(options, lambda run: tune(run, options.data, options.checkpoint))
