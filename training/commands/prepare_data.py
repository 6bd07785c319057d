"""Make an episode store, ready for training, from bags, LeRobot datasets or videos.

    hwm prepare recordings --robot robot.yaml --validation-nth 10 --out store
    hwm prepare g1_yellow_bottle --robot g1 --validation held_out --out store

writes the episodes into store/training and store/validation, and fits the action manifests store/states.yaml and
store/commands.yaml. Run the same command again to resume.

Exit status 0: all recordings were read; 1: some were skipped; 2: bad input.
"""

import argparse
from pathlib import Path

from .arguments import Parser, add_read_options, add_robot, not_negative, positive


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(__doc__)
    parser.add_argument(
        "sources", nargs="+", type=Path, help="bags, data sets, videos with tables, or folders of these"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the store; run again to resume")
    add_prepare_options(parser)
    return parser


def add_prepare_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `PrepareOptions.of`."""
    add_robot(parser, required=True)
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (%(default)s)")
    parser.add_argument(
        "--crop",
        choices=("none", "centre_square"),
        default="centre_square",
        help="none: the whole image, resized to a square (%(default)s)",
    )
    parser.add_argument(
        "--margins",
        nargs=4,
        type=float,
        default=(0.0, 0.0, 0.0, 0.0),
        metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="shares of height and width removed before the crop: black bars, or the second image of a stereo camera",
    )
    parser.add_argument("--rate", type=float, default=30.0, help="frame rate of the store in Hz (%(default)s)")
    parser.add_argument(
        "--frame-skip", type=not_negative, default=0, metavar="N", help="skip N frames after each frame that is kept"
    )
    parser.add_argument("--drop-repeats", action="store_true", help="skip images that equal the previous image")
    parser.add_argument("--split", type=Path, help="split file that hwm split wrote")
    parser.add_argument(
        "--validation", nargs="+", type=Path, default=[], metavar="SOURCE", help="recordings for validation"
    )
    parser.add_argument(
        "--validation-nth",
        type=not_negative,
        default=0,
        metavar="N",
        help="also validate on recordings whose number is a multiple of N",
    )
    parser.add_argument(
        "--joints",
        nargs="+",
        help="names of joints in the order of the store (default: the joints of the first recording)",
    )
    add_read_options(parser)
    parser.add_argument("--workers", type=positive, default=1, help="processes that read recordings (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Returns the exit status. Raises BadInput for errors that the user can correct."""
    from ..next_command import print_next
    from ..prepare_data import PrepareOptions, prepare

    status = prepare(options.sources, options.out, PrepareOptions.of(options))
    print_next("train-tokenizer", "--preset", "g1", "--data", options.out, "--out", "runs/tokenizer")
    return status
