"""Measure how well a world model ranks candidate actions in the simulated reach task, for each seed.

    python -m training.rank_actions --checkpoint tiny --seeds 20

prints Spearman's correlation between predicted cost and true palm-to-goal distance, and the top-1 regret: how
much worse the candidate with the lowest predicted cost is than the best candidate (0: equal; 1: the worst). The
simulator columns apply the same cost to the true outcome: they show the limit of the cost itself.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.evaluation.ranking import Ranking, rank_actions
from hwm_core.evaluation.reaching import ReachConfig
from hwm_core.evaluation.simulated import FIRST_SEED
from hwm_core.io.atomic import write_json
from hwm_core.world_model.model import WorldModel
from training.command_line import positive, run_command
from training.devices import own_device


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status. 0: done; 2: bad input."""
    return run_command(build_parser(), rank_candidates, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--checkpoint", default=SHIPPED, help="checkpoint folder; tiny and flow_tiny are included (%(default)s)"
    )
    parser.add_argument("--seeds", type=positive, default=10, help="number of tasks (%(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first task (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML file with planner, objective, scoring, max_velocity")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser


def rank_candidates(options: argparse.Namespace) -> int:
    """Rank the candidates of each seed and print the table. Raises BadInput for errors of the user."""
    config = ReachConfig.read(options.config) if options.config else ReachConfig()
    world_model = WorldModel.load(checkpoint_path(options.checkpoint), device=own_device(options.device))
    print("   seed   Spearman model simulator   top-1 regret model simulator")
    rankings = [_rank(world_model, seed, config) for seed in range(options.seed, options.seed + options.seeds)]
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


def _rank(world_model: WorldModel, seed: int, config: ReachConfig) -> Ranking:
    ranking = rank_actions(world_model, seed, config)
    agreement = {name: asdict(value) for name, value in ranking.agreement().items()}
    print(_line(str(seed), agreement["model"], agreement["simulator"]), flush=True)
    return ranking


def _line(name: str, model: dict[str, float], simulator: dict[str, float]) -> str:
    return (
        f"{name:>7}   {model['spearman']:14.2f} {simulator['spearman']:9.2f}"
        f"   {model['top1_regret']:18.2f} {simulator['top1_regret']:9.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
