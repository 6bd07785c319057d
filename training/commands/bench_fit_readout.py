"""Fit the probe of the planning cost `readout`: it locates palms and objects of the simulated humanoid in latents.

    hwm bench fit-readout --checkpoint tiny --out readout.safetensors
    hwm bench closed-loop --checkpoint tiny --config planning.yaml --out loop.json

where planning.yaml has `objective: {readout: {weight: 2.0, file: readout.safetensors}}`. Episodes are simulated, and
their true state trains the probe: results that use it are not those of images alone.
"""

import argparse
from pathlib import Path

from .arguments import Parser, positive, seed


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--checkpoint", required=True, help="checkpoint, by folder or shipped name; the probe fits its tokenizer"
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--episodes", type=positive, default=400, help="simulated episodes of 2 s (%(default)s)")
    parser.add_argument("--steps", type=positive, default=1500, help="training steps (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of weights and batches (%(default)s)")
    parser.add_argument("--device", default="cpu", help="of the tokenizer, cpu or cuda (%(default)s)")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..bench_fit_readout import fit

    return fit(options)
