"""Runs the jobs of a bench in parallel processes and keeps each record as it comes."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from hwm_core import __version__
from hwm_core.config import Config
from hwm_core.device import arithmetic
from hwm_core.evaluation.closed_loop.job import EpisodeJob, RankingJob
from hwm_core.evaluation.closed_loop.resources import ResourcesSpec
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.io.workers import worker_pool
from hwm_core.sim.gl import mujoco

R = TypeVar("R", bound=Config)
Job = EpisodeJob | RankingJob


def run_jobs(jobs: Sequence[Job], results: ResultsFile[R], workers: int) -> None:
    """Run the jobs and add their records to `results`, with a progress bar."""
    with tqdm(total=len(jobs), unit="episode") as bar:
        for job, record in _finished(jobs, workers):
            results.add(job.row, job.task, job.seed, record)
            bar.set_postfix_str(f"{job.row}, {job.task}")
            bar.update()


def common_settings(spec: ResourcesSpec, split: str) -> dict[str, Any]:
    """What all records of a file depend on."""
    view = spec.load().view
    return {
        "split": split,
        "versions": {"hwm": __version__, "mujoco": mujoco.__version__, "torch": torch.__version__},
        "preprocessing": view.preprocessing.plain(),
        "past_frames": view.past_frames,
        "max_velocity": spec.load().config.max_velocity,
    }


def model_settings(spec: ResourcesSpec) -> dict[str, Any]:
    """What a record of a world model depends on."""
    model = spec.load().model
    return {
        "checkpoint": model.name,
        "sha256": model.sha256,
        "arithmetic": arithmetic(model.device, model.dtype),
        "planning": spec.load().config.plain(),
    }


def digest(folder: Path) -> str:
    """sha256 over the files of a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(os.fsencode(path.name) + path.read_bytes())
    return total.hexdigest()


def _finished(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Any]]:
    """Each job with its record, as they finish."""
    if workers == 1:
        for job in jobs:
            yield job, job()
        return
    with worker_pool(workers) as pool:
        running = {pool.submit(job): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()
