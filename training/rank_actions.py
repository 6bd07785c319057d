"""Measure how well a world model ranks candidate actions, in the simulated reach task, seed by seed."""

import argparse
import sys
from dataclasses import asdict

import numpy as np

from hwm_core.errors import BadConfig
from hwm_core.evaluation.ranking import Ranking, rank_actions
from hwm_core.evaluation.reaching import ReachConfig
from hwm_core.io.atomic import write_json
from hwm_core.sim.tasks.task import NoTask
from hwm_core.world_model.model import WorldModel

from .devices import own_device


def rank_candidates(options: argparse.Namespace) -> int:
    """Rank the candidates of each seed and print the table. Raises BadInput for errors of the user."""
    config = ReachConfig.read(options.config) if options.config else ReachConfig()
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device))
    print("   seed   Spearman model simulator   top-1 regret model simulator")
    seeds = range(options.seed, options.seed + options.seeds)
    rankings = [one for seed in seeds if (one := _rank(world_model, seed, config)) is not None]
    if not rankings:
        raise BadConfig("--seed", expected="a seed with a reach task", got="none", remedy="Choose other seeds.")
    means = {
        dynamics: {
            "spearman": float(np.mean([r.agreement()[dynamics].spearman for r in rankings])),
            "top1_regret": float(np.mean([r.agreement()[dynamics].top1_regret for r in rankings])),
        }
        for dynamics in ("model", "simulator")
    }
    print(_line("mean", means["model"], means["simulator"]))
    if options.out:
        by_seed = {r.seed: {name: asdict(agreement) for name, agreement in r.agreement().items()} for r in rankings}
        write_json(options.out, {"mean": means, "seeds": by_seed})
    return 0


def _rank(world_model: WorldModel, seed: int, config: ReachConfig) -> Ranking | None:
    """Print the agreement of one seed; None where the seed has no task."""
    try:
        ranking = rank_actions(world_model, seed, config)
    except NoTask as fault:
        print(f"skipped {fault}", file=sys.stderr)
        return None
    agreement = {name: asdict(value) for name, value in ranking.agreement().items()}
    print(_line(str(seed), agreement["model"], agreement["simulator"]), flush=True)
    return ranking


def _line(name: str, model: dict[str, float], simulator: dict[str, float]) -> str:
    return (
        f"{name:>7}   {model['spearman']:14.2f} {simulator['spearman']:9.2f}"
        f"   {model['top1_regret']:18.2f} {simulator['top1_regret']:9.2f}"
    )
