"""Run the closed-loop table: episodes in parallel processes, kept one by one, and printed as a table."""

import argparse
from collections.abc import Iterator
from typing import Any

import torch

from hwm_core.assets import checkpoint_path
from hwm_core.errors import BadConfig, did_you_mean
from hwm_core.evaluation.closed_loop.job import EpisodeJob
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.resources import ResourcesSpec
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.rows import ROWS, Row
from hwm_core.evaluation.closed_loop.seed_list import SeedList, list_seeds, read_seed_list
from hwm_core.evaluation.closed_loop.summary import table
from hwm_core.io.atomic import write_json

from .bench_jobs import common_settings, digest, model_settings, run_jobs
from .devices import own_device


def write_seeds(options: argparse.Namespace) -> int:
    """Write the list of accepted seeds."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, list_seeds(options.count).plain())
    return 0


def run_closed_loop(options: argparse.Namespace) -> int:
    """Run the missing episodes and print the table. Raises BadInput for errors of the user."""
    spec = ResourcesSpec(
        device=str(own_device(options.device)),
        checkpoint=checkpoint_path(options.checkpoint) if options.checkpoint else None,
        baselines=options.baselines,
        config=options.config,
        threads=1 if options.workers > 1 else torch.get_num_threads(),
    )
    results = ResultsFile(options.out, EpisodeRecord)
    for name in (rows := _rows(options, spec)):
        results.open_row(name, ROWS[name].summary, _settings(ROWS[name], spec, options.split))
    run_jobs(list(_missing(options, rows, read_seed_list(options.seeds), spec, results)), results, options.workers)
    print(table(results.records(), options.main if options.main in rows else None))
    return 0


def _rows(options: argparse.Namespace, spec: ResourcesSpec) -> list[str]:
    """The asked rows, or all for which there are a checkpoint and baselines. Raises BadConfig for an unknown row."""
    given = {"checkpoint": spec.checkpoint is not None, "baselines": spec.baselines is not None}
    if options.rows is None:
        return [name for name, row in ROWS.items() if all(given[need] for need in row.needs)]
    for name in options.rows:
        if name not in ROWS:
            remedy = did_you_mean(name, ROWS, f"Rows: {', '.join(ROWS)}.")
            raise BadConfig("--rows", expected="names of rows", got=f"`{name}`", remedy=remedy)
        if lacking := [need for need in ROWS[name].needs if not given[need]]:
            raise BadConfig(
                f"Row `{name}`",
                expected=f"--{' and --'.join(lacking)}",
                got="none",
                remedy="Give the option, or leave out the row.",
            )
    return list(dict.fromkeys(options.rows))


def _missing(
    options: argparse.Namespace,
    rows: list[str],
    seeds: SeedList,
    spec: ResourcesSpec,
    results: ResultsFile[EpisodeRecord],
) -> Iterator[EpisodeJob]:
    """The episodes that the results file lacks."""
    for task in options.tasks:
        for seed in seeds.first(options.split, task, options.episodes):
            for row in rows:
                if not results.has(row, task, seed):
                    yield EpisodeJob(row, task, seed, spec, options.films)


def _settings(row: Row, spec: ResourcesSpec, split: str) -> dict[str, Any]:
    """Everything that the episodes of a row depend on."""
    settings = common_settings(spec, split)
    if "checkpoint" in row.needs:
        settings |= model_settings(spec)
    if "baselines" in row.needs and spec.baselines is not None:
        settings["baselines"] = digest(spec.baselines)
    return settings
