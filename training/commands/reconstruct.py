"""Evaluate a tokenizer: how well it reconstructs the validation windows of a store, and how it uses its codes.

    hwm reconstruct --tokenizer runs/tokenizer/tokenizer --store store --out report
    hwm reconstruct --tokenizer Cosmos-0.1-Tokenizer-DV8x8x8 --store store --latents 3 --out report

writes reconstruction.json, table.md and contact_sheet.png into --out; with --video also reconstruction.mp4.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP

from .arguments import Parser, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--tokenizer", required=True, help=f"folder of a tokenizer, {CHECKPOINT_HELP}")
    parser.add_argument("--store", type=Path, required=True, help="store that hwm prepare wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--split", choices=("training", "validation"), default="validation", help="split of the store (%(default)s)"
    )
    parser.add_argument("--latents", type=positive, default=5, help="number of latents in a window (%(default)s)")
    parser.add_argument("--stride", type=positive, default=5, help="frames between the starts of windows (%(default)s)")
    parser.add_argument(
        "--windows", type=positive, default=128, help="maximum number of windows, spread evenly (%(default)s)"
    )
    parser.add_argument("--batch", type=positive, default=8, help="batch size in windows (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--video", action="store_true", help="also write a video of the first episode, reconstructed")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..reconstruct import report_reconstruction

    return report_reconstruction(options)
