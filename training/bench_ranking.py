"""Rank candidates of every task and place, and print the table."""

import argparse

import torch

from hwm_core.assets import checkpoint_path
from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.job import RankingJob
from hwm_core.evaluation.closed_loop.ranking_record import RankingRecord
from hwm_core.evaluation.closed_loop.ranking_table import ranking_table
from hwm_core.evaluation.closed_loop.resources import ResourcesSpec
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.seed_list import read_seed_list

from .bench_jobs import common_settings, model_settings, run_jobs
from .devices import own_device

_FEWEST = 5  # candidates: the goal-reaching one, holding, and one of each random kind


def run_ranking(options: argparse.Namespace) -> int:
    """Rank what is missing and print the table. Raises BadInput for errors of the user."""
    if options.candidates < _FEWEST:
        raise BadConfig(
            "--candidates", expected=f"at least {_FEWEST}", got=options.candidates, remedy="48 give a stable rank."
        )
    spec = ResourcesSpec(
        device=str(own_device(options.device)),
        checkpoint=checkpoint_path(options.checkpoint),
        baselines=None,
        config=options.config,
        threads=1 if options.workers > 1 else torch.get_num_threads(),
    )
    results = ResultsFile(options.out, RankingRecord)
    settings = {**common_settings(spec, options.split), **model_settings(spec), "candidates": options.candidates}
    seeds, jobs = read_seed_list(options.seeds), []
    for place in options.places:
        results.open_row(place, f"candidates at the place `{place}`", settings)
        for task in options.tasks:
            for seed in seeds.first(options.split, task, options.episodes):
                if not results.has(place, task, seed):
                    jobs.append(RankingJob(place, task, seed, spec, options.candidates))
    run_jobs(jobs, results, options.workers)
    print(ranking_table(results.records()))
    return 0
