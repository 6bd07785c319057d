"""Run the closed-loop table: episodes in parallel processes, kept one by one, and printed as a table."""

import argparse
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from hwm_core import __version__
from hwm_core.assets import checkpoint_path
from hwm_core.errors import BadConfig, did_you_mean
from hwm_core.evaluation.closed_loop.job import Job, ResourcesSpec, run_job
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.rows import ROWS, Row
from hwm_core.evaluation.closed_loop.seed_list import SeedList, list_seeds, read_seed_list
from hwm_core.io.atomic import write_json
from hwm_core.io.workers import worker_pool
from hwm_core.sim.gl import mujoco


def write_seeds(options: argparse.Namespace) -> int:
    """Write the list of accepted seeds."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, list_seeds(options.count).plain())
    return 0


def run_closed_loop(options: argparse.Namespace) -> int:
    """Run the missing episodes and print the table. Raises BadInput for errors of the user."""
    spec = ResourcesSpec(
        checkpoint=checkpoint_path(options.checkpoint) if options.checkpoint else None,
        baselines=options.baselines,
        config=options.config,
        device=options.device,
        threads=1 if options.workers > 1 else torch.get_num_threads(),
    )
    results = ResultsFile(options.out)
    for name in (rows := _rows(options, spec)):
        results.open_row(name, ROWS[name].summary, _settings(ROWS[name], spec, options.split))
    jobs = list(_missing(options, rows, read_seed_list(options.seeds), spec, results))
    with tqdm(total=len(jobs), unit="episode") as bar:
        for job, record in _run(jobs, options.workers):
            results.add(job.row, job.task, job.seed, record)
            bar.set_postfix_str(f"{job.row}, {job.task}")
            bar.update()
    print(results.table(options.main if options.main in rows else None))
    return 0


def _run(jobs: list[Job], workers: int) -> Iterator[tuple[Job, Any]]:
    """Each job with its record, as they finish."""
    if workers == 1:
        for job in jobs:
            yield job, run_job(job)
        return
    with worker_pool(workers) as pool:
        running = {pool.submit(run_job, job): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()


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
    options: argparse.Namespace, rows: list[str], seeds: SeedList, spec: ResourcesSpec, results: ResultsFile
) -> Iterator[Job]:
    """The episodes that the results file lacks."""
    for task in options.tasks:
        for seed in seeds.first(options.split, task, options.episodes):
            for row in rows:
                if not results.has(row, task, seed):
                    yield Job(row, task, seed, spec, options.films)


def _settings(row: Row, spec: ResourcesSpec, split: str) -> dict[str, Any]:
    """Everything that the episodes of a row depend on."""
    resources = spec.load()
    view, model = resources.view, resources.world_model
    settings: dict[str, Any] = {
        "split": split,
        "versions": {"hwm": __version__, "mujoco": mujoco.__version__, "torch": torch.__version__},
        "preprocessing": view.preprocessing.plain(),
        "past_frames": view.past_frames,
        "max_velocity": resources.config.max_velocity,
    }
    if "checkpoint" in row.needs and model is not None:
        settings |= {"checkpoint": model.name, "sha256": model.sha256, "planning": resources.config.plain()}
    if "baselines" in row.needs and spec.baselines is not None:
        settings["baselines"] = _digest(spec.baselines)
    return settings


def _digest(folder: Path) -> str:
    """sha256 over the files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(os.fsencode(path.name) + path.read_bytes())
    return digest.hexdigest()
