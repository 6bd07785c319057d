"""The two tracks of the 1X World Model Challenge.

    python -m training.onex compress --checkpoint runs/x/checkpoint --data test_v2.0 --out submission.zip
    python -m training.onex compress --checkpoint runs/x/checkpoint --data val_v2.0 --out val.zip --limit 450
    python -m training.onex validate submission.zip --data test_v2.0
    python -m training.onex sample --checkpoint runs/x/checkpoint --data raw/val --out predictions --limit 450

`compress` writes the archive. If the true tokens are known, it also writes a report, tables and a model card beside
the archive (val.json, val.table.md, val.MODEL_CARD.md). `sample` writes a folder with the predicted frames, a report,
tables and a model card. A stopped command resumes when it is called again. docs/challenge.md explains the numbers.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from hwm_core.challenge.compression import compress
from hwm_core.challenge.compression_report import compression_tables
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.forecast_samples import cut_forecast_samples, identity
from hwm_core.challenge.forecasts import SamplingTrack
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.challenge.sampling import run_track
from hwm_core.challenge.sampling_report import sampling_tables
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
    """Run the command line. Exit status 0: done, or the archive is valid; 1: the archive is not valid; 2: bad input."""
    options = _parse(arguments)
    try:
        with path_errors():
            return options.run(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1 if options.run is _validate else 2


def _compress(options: argparse.Namespace) -> int:
    """Rank the codes of every future token, and write the archive."""
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
    """Check an archive, and report the first error."""
    numbers = None
    if options.data is not None:
        if is_token_set(options.data):
            raise BadConfig(
                "--data",
                expected="a test set, whose file names give the sample numbers",
                got="a token set",
                remedy="Leave out --data.",
            )
        numbers = open_test_samples(options.data).numbers
    grids, height, width = options.shape
    count = validate_archive(
        options.archive, ArchiveLayout(grids, height, width, options.vocabulary, options.top), numbers
    )
    print(f"{options.archive}: {count} samples, valid")
    return 0


def _sample(options: argparse.Namespace) -> int:
    """Predict the 77th frame of each sample from raw shards."""
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device), dtype=options.dtype)
    given = read_yaml(options.settings) if options.settings else {}
    track = SamplingTrack.parse(overridden(given, options.set), where="settings")
    shards = open_raw(options.data)
    choice = {"stride": options.stride, "limit": options.limit}
    samples = cut_forecast_samples(shards, world_model, side=track.side, seed=track.seed, **choice)
    with tqdm(unit="sample", disable=None) as bar:
        report = run_track(
            world_model,
            samples,
            track,
            options.out,
            data=identity(shards, **choice),
            progress=lambda done: bar.update(done - bar.n),
        )
    print(*(table.markdown() for table in sampling_tables(report)), sep="\n")
    print(f"{options.out}: {report.counts.samples} samples")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    compress_ = commands.add_parser("compress", help=_compress.__doc__)
    compress_.set_defaults(run=_compress)
    _add_common(
        compress_, "float32", "a test set (video_i.bin, states_i.bin), or a token set", "steps=2 parallel=false"
    )
    compress_.add_argument("--batch", type=positive, default=4, help="batch size in samples (%(default)s)")
    compress_.add_argument("--top", type=positive, default=TOP, help="ranked codes per token (%(default)s)")
    compress_.add_argument("--seed", type=int, default=0, help="seed of the sampling (%(default)s)")
    compress_.add_argument("--name", default="{number}.npz", help="file names inside the archive (%(default)s)")
    validate = commands.add_parser("validate", help=_validate.__doc__)
    validate.set_defaults(run=_validate)
    validate.add_argument("archive", type=Path, help="zip file that `compress` wrote")
    validate.add_argument("--data", type=Path, help="the test set: the archive must contain exactly its samples")
    validate.add_argument("--shape", type=positive, nargs=3, default=(3, 32, 32), help="grids, height, width (3 32 32)")
    validate.add_argument("--vocabulary", type=positive, default=64_000, help="number of codes (%(default)s)")
    validate.add_argument("--top", type=positive, default=TOP, help="ranked codes per token (%(default)s)")
    sample = commands.add_parser("sample", help=_sample.__doc__)
    sample.set_defaults(run=_sample)
    _add_common(sample, "bfloat16", "a raw set (video_i.mp4)", "blur=3 sampling.steps=2")
    sample.add_argument("--stride", type=positive, default=77, help="frames between samples (%(default)s)")
    sample.add_argument("--settings", type=Path, help="YAML file with side, ensemble, blur, sampling, seed, submitted")
    return parser.parse_args(arguments)


def _add_common(parser: argparse.ArgumentParser, dtype: str, data: str, example: str) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint folder of a trained model")
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="file or folder to write; repeat the command to resume")
    parser.add_argument("--limit", type=positive, help="maximum number of samples, spread evenly")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default=dtype, help="precision (%(default)s)")
    parser.add_argument("set", nargs="*", metavar="key=value", help=f"settings, such as {example}")


if __name__ == "__main__":
    sys.exit(main())
