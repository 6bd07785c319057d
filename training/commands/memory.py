"""Account for the GPU memory of a training step, and of scoring candidates. Nothing is computed, no GPU is needed.

    hwm memory --preset masked --batch 16 --candidates 64
    hwm memory --preset flow --gpus 2 --limit-gb 48 train.accumulation=4

Training is counted on encoded windows. Add 1 to 2 GB for the CUDA context and the allocator. Exit status 2: more than
--limit-gb.
"""

import argparse

from .arguments import Parser, positive, positive_number


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--preset", default="masked", help="name of a preset, or a YAML file (%(default)s)")
    parser.add_argument("--batch", type=positive, help="windows per optimiser step, over all GPUs (the preset's)")
    parser.add_argument("--gpus", type=positive, default=1, help="GPUs that hold a replica each (%(default)s)")
    parser.add_argument("--candidates", type=positive, help="also account for scoring this number of candidates")
    parser.add_argument("--limit-gb", type=positive_number, help="memory of a GPU in GB; needing more is an error")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="overrides for the preset")
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..memory import account

    return account(options)
