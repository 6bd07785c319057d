"""The two tracks of the 1X World Model Challenge."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hwm_core.challenge.compression import compress
from hwm_core.challenge.compression_report import compression_tables
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.forecast_samples import ForecastSample, cut_forecast_samples, identity
from hwm_core.challenge.forecasts import SamplingTrack
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.challenge.hidden_samples import cut_hidden_samples, is_hidden_set, open_hidden
from hwm_core.challenge.hidden_samples import identity as hidden_identity
from hwm_core.challenge.metric_networks import MetricNetworks
from hwm_core.challenge.sampling import ARCHIVE, run_track
from hwm_core.challenge.sampling_report import sampling_tables
from hwm_core.challenge.submission import ArchiveLayout, validate_archive
from hwm_core.config import overridden, read_yaml
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.data.tokens.onex import is_token_set
from hwm_core.data.tokens.onex_test_set import open_test_samples
from hwm_core.errors import BadConfig
from hwm_core.metrics.extractors import metric_names
from hwm_core.metrics.unavailable import Unavailable
from hwm_core.precision import read_precision
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import load_checkpoint
from hwm_core.world_model.model import WorldModel

from .devices import own_device
from .metric_networks import kind_and_file, open_extractor, open_lpips


def write_submission(options: argparse.Namespace) -> int:
    """Rank the codes of every future token, and write the archive."""
    device = own_device(options.device)
    checkpoint = load_checkpoint(options.checkpoint, device)
    sampling = Sampling.parse(overridden({}, options.set), where="settings")
    compressor = Compressor(
        checkpoint,
        sampling=sampling,
        seed=options.seed,
        top=options.top,
        dtype=read_precision(options.dtype, device),
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


def validate(options: argparse.Namespace) -> int:
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


def sample_forecasts(options: argparse.Namespace) -> int:
    """Predict the 77th frame of each sample from raw shards."""
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device), dtype=options.dtype)
    given = read_yaml(options.settings) if options.settings else {}
    track = SamplingTrack.parse(overridden(given, options.set), where="settings")
    networks = _networks(options)
    samples: Iterator[ForecastSample]
    if is_hidden_set(options.data):
        hidden = open_hidden(options.data, options.limit)
        samples, data = cut_hidden_samples(hidden, world_model, side=track.side), hidden_identity(hidden)
    else:
        shards, choice = open_raw(options.data), {"stride": options.stride, "limit": options.limit}
        samples = cut_forecast_samples(shards, world_model, side=track.side, seed=track.seed, **choice)
        data = identity(shards, **choice)
    with tqdm(unit="sample", disable=None) as bar:
        report = run_track(
            world_model,
            samples,
            track,
            options.out,
            data=data,
            networks=networks,
            progress=lambda done: bar.update(done - bar.n),
        )
    if report.hidden:
        print(f"{options.out}: {report.counts.samples} predictions of hidden samples, also as {ARCHIVE}")
        return 0
    print(*(table.markdown() for table in sampling_tables(report)), sep="\n")
    print(f"{options.out}: {report.counts.samples} samples")
    return 0


def _networks(options: argparse.Namespace) -> MetricNetworks:
    """The networks that are given; a network that cannot be read makes its metric unavailable."""
    device = own_device(options.device)
    given: dict[str, Any] = {}
    if options.lpips is not None:
        given["lpips"] = open_lpips(options.lpips, device)
    if options.extractor is not None:
        kind, path = kind_and_file(options.extractor)
        metric, _ = metric_names(kind, Path(path or "").stem)
        given["extractor"] = open_extractor(options.extractor, metric, device)
    networks = MetricNetworks(**given)
    for one in (networks.lpips, networks.extractor):
        if isinstance(one, Unavailable):
            print(one)  # before hours of prediction
    return networks
