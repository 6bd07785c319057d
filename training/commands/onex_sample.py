"""Run the sampling track of the 1X World Model Challenge: predict the 77th frame of each sample.

    hwm 1x sample --checkpoint runs/x/checkpoint --data raw/val --out predictions --limit 450

writes a folder with the predicted frames, a report, tables and a model card. Of a hidden test set (video_i.mp4 with 17
frames, states_i.bin with 77 states, no metadata) it writes the predictions, also as a zip. A stopped command resumes
when it is called again. docs/challenge.md explains the numbers.
"""

import argparse
from pathlib import Path

from .arguments import Parser, add_track_arguments, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    add_track_arguments(parser, "auto", "a raw set (video_i.mp4), or a hidden test set", "blur=3 sampling.steps=2")
    parser.add_argument("--stride", type=positive, default=77, help="frames between samples (%(default)s)")
    parser.add_argument("--lpips", metavar="KIND=FILE", help="network for LPIPS; see docs/evaluation.md")
    parser.add_argument("--extractor", metavar="KIND=FILE", help="network for FID; see docs/evaluation.md")
    parser.add_argument("--settings", type=Path, help="YAML file with side, ensemble, blur, sampling, seed, submitted")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..onex import sample_forecasts

    return sample_forecasts(options)
