"""The two tracks of the 1X World Model Challenge.

    python -m training.onex compress --checkpoint runs/x/checkpoint --data test_v2.0 --out submission.zip
    python -m training.onex compress --checkpoint runs/x/checkpoint --data val_v2.0 --out val.zip --limit 450
    python -m training.onex validate submission.zip --data test_v2.0
    python -m training.onex sample --checkpoint runs/x/checkpoint --data raw/val --out predictions --limit 450

`compress` writes the archive; where the truth is known, also a report, tables and a model card beside it (val.json,
val.table.md, val.MODEL_CARD.md). `sample` writes a folder of pictures with report.json, table.md and MODEL_CARD.md.
Stopped, either goes on when it is called again. docs/challenge.md explains the numbers.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from hwm_core.challenge.compression import compress
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.forecast_samples import cut_forecast_samples, identity
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.challenge.report import compression_tables, sampling_tables
from hwm_core.challenge.sampling import SamplingTrack, run_track
from hwm_core.challenge.submission import ArchiveLayout, validate_archive
from hwm_core.config import overridden, read_yaml
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.data.tokens.onex import is_token_set
from hwm_core.data.tokens.onex_test_set import open_test_samples
from hwm_core.errors import BadConfig, BadInput
from hwm_core.metrics.tokens import TOP
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import load_checkpoint
from hwm_core.world_model.model import WorldModel
from training.command_line import path_errors, positive
from training.devices import own_device


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done, and an archive is valid; 1: it is not; 2: bad input."""
    options = _parse(arguments)
    try:
        with path_errors():
            return options.run(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1 if options.run is _validate else 2


def _compress(options: argparse.Namespace) -> int:
    """Rank the codes of every token to come, and zip them."""
    checkpoint = load_checkpoint(options.checkpoint, own_device(options.device))
    sampling = Sampling.parse(overridden({}, options.set), where="settings")
    compressor = Compressor(
        checkpoint, sampling=sampling, seed=options.seed, top=options.top, dtype=getattr(torch, options.dtype)
    )
    samples = open_samples(options.data, checkpoint, options.limit)
    with tqdm(total=len(samples), unit="sample", disable=None) as bar:
        report = compress(
            compressor,
            samples,
            options.out,
            batch=options.batch,
            pattern=options.name,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    print(f"{options.out}: {len(samples)} samples, valid")
    if report is not None:
        print(*(table.markdown() for table in compression_tables(report)), sep="\n")
    return 0


def _validate(options: argparse.Namespace) -> int:
    """Read an archive as a scorer would, and say what is wrong with it."""
    numbers = None
    if options.data is not None:
        if is_token_set(options.data):
            raise BadConfig(
                "--data", expected="a test set: its files number the samples", got="a token set", remedy="Leave it out."
            )
        numbers = open_test_samples(options.data).numbers
    grids, height, width = options.shape
    count = validate_archive(
        options.archive, ArchiveLayout(grids, height, width, options.vocabulary, options.top), numbers
    )
    print(f"{options.archive}: {count} samples, valid")
    return 0


def _sample(options: argparse.Namespace) -> int:
    """Predict the 77th frame of moments of raw shards."""
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device), dtype=options.dtype)
    given = read_yaml(options.settings) if options.settings else {}
    track = SamplingTrack.parse(overridden(given, options.set), where="settings")
    shards = open_raw(options.data)
    which = {"stride": options.stride, "limit": options.limit}
    samples = cut_forecast_samples(shards, world_model, side=track.side, seed=track.seed, **which)
    with tqdm(unit="moment", disable=None) as bar:
        report = run_track(
            world_model,
            samples,
            track,
            options.out,
            data=identity(shards, **which),
            progress=lambda done: bar.update(done - bar.n),
        )
    print(*(table.markdown() for table in sampling_tables(report)), sep="\n")
    print(f"{options.out}: {report['moments']} moments")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    compress_ = commands.add_parser("compress", help=_compress.__doc__)
    compress_.set_defaults(run=_compress)
    _add_common(compress_, "float32", "a test set (video_i.bin, states_i.bin), or a token set")
    compress_.add_argument("--batch", type=positive, default=4, help="samples at once (%(default)s)")
    compress_.add_argument("--top", type=positive, default=TOP, help="codes of each token (%(default)s)")
    compress_.add_argument("--seed", type=int, default=0, help="of the draws (%(default)s)")
    compress_.add_argument("--name", default="{number}.npz", help="of the archive's members (%(default)s)")
    validate = commands.add_parser("validate", help=_validate.__doc__)
    validate.set_defaults(run=_validate)
    validate.add_argument("archive", type=Path)
    validate.add_argument("--data", type=Path, help="the test set, each sample of which must be there")
    validate.add_argument("--shape", type=positive, nargs=3, default=(3, 32, 32), help="grids, rows, columns (3 32 32)")
    validate.add_argument("--vocabulary", type=positive, default=64_000, help="number of codes (%(default)s)")
    validate.add_argument("--top", type=positive, default=TOP, help="codes of each token (%(default)s)")
    sample = commands.add_parser("sample", help=_sample.__doc__)
    sample.set_defaults(run=_sample)
    _add_common(sample, "bfloat16", "a raw set (video_i.mp4)")
    sample.add_argument("--stride", type=positive, default=77, help="frames between moments (%(default)s)")
    sample.add_argument("--settings", type=Path, help="YAML file of side, ensemble, blur, sampling, seed, handed_in")
    return parser.parse_args(arguments)


def _add_common(parser: argparse.ArgumentParser, dtype: str, data: str) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of a trained model")
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="what is written; run again to go on")
    parser.add_argument("--limit", type=positive, help="at most so many, spread evenly")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default=dtype, help="arithmetic (%(default)s)")
    parser.add_argument("set", nargs="*", metavar="key=value", help="steps=2 parallel=false; blur=3 sampling.steps=2")


if __name__ == "__main__":
    sys.exit(main())
