"""Fine-tune a checkpoint's decoder on the mean latents that its world model predicts. All tokens stay the same.

    hwm tune-decoder --preset tiny --data store --checkpoint runs/tiny/checkpoint --out runs/tuned

writes runs/tuned/checkpoint.
"""

import argparse
from pathlib import Path

from .arguments import training_parser


def build_parser() -> argparse.ArgumentParser:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, help="folder that hwm train wrote, or a name (with --resume: default of the run)"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..run import run_training
    from ..tune_decoder import tune

    status = run_training(options, lambda run: tune(run, options.data, options.checkpoint))
    if status == 0:
        checkpoint = ("--checkpoint", options.out / "checkpoint")
        print_next("evaluate", *checkpoint, "--store", options.data, "--out", "runs/evaluation")
    return status
