"""Train a video tokenizer on an episode store.

    hwm train-tokenizer --preset tiny --data store --out runs/tokenizer

writes runs/tokenizer/tokenizer, for `hwm train --tokenizer`. --init begins with the weights of another tokenizer.
"""

import argparse

from .arguments import training_parser


def build_parser() -> argparse.ArgumentParser:
    parser = training_parser(__doc__)
    parser.add_argument("--init", help="tokenizer or checkpoint, by folder or name, that provides the initial weights")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..run import run_training
    from ..train_tokenizer import train

    status = run_training(options, lambda run: train(run, options.data, options.init))
    if status == 0:
        tokenizer = ("--tokenizer", options.out / "tokenizer", "--out", "runs/model")
        print_next("train", "--preset", options.preset, "--data", options.data, *tokenizer)
    return status
