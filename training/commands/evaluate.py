"""Evaluate checkpoints on episodes held out from training.

    hwm evaluate --checkpoint tiny                                 new simulated episodes
    hwm evaluate --checkpoint runs/g1/checkpoint --store store     the validation episodes of a store
    hwm evaluate --checkpoint tiny flow_tiny                       several checkpoints on the same windows

writes evaluation.json, table.md, evaluation.html, contact_sheet.png and MODEL_CARD.md into --out. Results are stored
there as they are computed: the same command resumes a stopped evaluation. Several ranks (torchrun, or --rank and
--world-size) share one --out; the last to finish writes the files.
"""

import argparse
from pathlib import Path

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT

from .arguments import Parser, add_dtype, add_ranks, positive, seed

PROTOCOLS = ("horizon", "paper")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument("--checkpoint", nargs="+", default=[DEFAULT], help=CHECKPOINT_HELP)
    parser.add_argument("--tokenizer", type=Path, help="new folder of an external tokenizer that was moved")
    parser.add_argument("--store", type=Path, help="evaluate on the validation episodes of this store")
    parser.add_argument("--seed", type=seed, help="seed of the first simulated episode (2000000)")
    parser.add_argument("--episodes", type=positive, default=16, help="number of simulated episodes (%(default)s)")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="horizon",
        help="evaluation protocol; paper: as in arXiv 2506.01182 (%(default)s)",
    )
    parser.add_argument(
        "--conditions", nargs="+", metavar="NAME", help="what to evaluate: model, copy_last and more (the protocol's)"
    )
    parser.add_argument("--horizons", type=int, nargs="+", help="frames ahead (8 16 24; paper: 8)")
    parser.add_argument("--stride", type=int, help="frames between the starts of windows (5; paper: 8)")
    parser.add_argument("--max-windows", type=int, help="maximum number of windows, spread evenly")
    parser.add_argument(
        "--sampling",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="settings of sampling: steps=2 parallel=false ...",
    )
    parser.add_argument(
        "--samples", type=int, help="also evaluate single samples, and the mean of this number of samples"
    )
    parser.add_argument(
        "--stochastic-sampling", nargs="*", metavar="KEY=VALUE", help="settings of sampling for --samples: steps=4 ..."
    )
    parser.add_argument(
        "--sampling-seed", type=int, default=0, help="seed of sampling and of shuffled actions (%(default)s)"
    )
    parser.add_argument(
        "--sensitivity", type=int, default=16, help="number of windows in which joints are perturbed (%(default)s)"
    )
    parser.add_argument("--no-ssim", action="store_true", help="leave out SSIM and MS-SSIM, which are slow")
    parser.add_argument(
        "--extractor",
        nargs="+",
        default=[],
        metavar="KIND=FILE",
        help="networks for FID, KID, FVD, KVD; see docs/evaluation.md",
    )
    parser.add_argument(
        "--lpips", metavar="KIND=FILE", help="network for LPIPS, vgg16 or script; see docs/evaluation.md"
    )
    parser.add_argument("--batch", type=int, default=16, help="batch size in windows (%(default)s)")
    parser.add_argument(
        "--examples", type=positive, default=4, help="number of windows on the contact sheet (%(default)s)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add_dtype(parser)
    add_ranks(parser)
    parser.add_argument("--out", type=Path, default=Path("evaluation_out"), help="folder to write (%(default)s)")
    parser.add_argument("--from-scratch", action="store_true", help="delete earlier results in --out first")
    parser.add_argument(
        "--card-in-checkpoint", action="store_true", help="also write the model card into the checkpoint's folder"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..evaluate import evaluate
    from ..next_command import print_next

    status = evaluate(options)
    if options.world_size == 1:
        print_next("node", "world_model", f"checkpoint:={options.checkpoint[0]}")
    return status
