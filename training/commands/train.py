"""Train a world model over a frozen tokenizer, on an episode store or on tokens of `hwm tokenize`.

    hwm train --preset tiny --data store --tokenizer runs/tokenizer/tokenizer --out runs/tiny
    hwm train --preset tiny --data tokens --tokenizer runs/tokenizer/tokenizer --out runs/tiny
    hwm train --preset mine.yaml --data world_model_tokenized_data --out runs/1x      tokens of 1X
    hwm train --preset tiny --data store --tokenizer ... --init runs/tiny/checkpoint --out runs/tuned
    hwm train --preset wan --data store --tokenizer Wan2.2/vae --base Wan2.2 --out runs/wan

writes the checkpoint into the folder `checkpoint` of --out.
"""

import argparse
from pathlib import Path

from .arguments import training_parser


def build_parser() -> argparse.ArgumentParser:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--tokenizer",
        type=Path,
        help="folder that hwm train-tokenizer wrote, or a download of Cosmos or Wan; optional for other token sets",
    )
    parser.add_argument(
        "--init", type=Path, help="checkpoint that provides the initial weights, for fine-tuning or a second stage"
    )
    parser.add_argument(
        "--base", type=Path, help="download of Wan2.2-TI2V-5B in the format of diffusers, for --preset wan"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..run import run_training
    from ..train import train

    status = run_training(options, lambda run: train(run, options.data, options.tokenizer, options.init, options.base))
    if status == 0 and options.tokenizer and options.base is None:
        checkpoint = ("--checkpoint", options.out / "checkpoint", "--out", "runs/tuned")
        print_next("tune-decoder", "--preset", options.preset, "--data", options.data, *checkpoint)
    return status
