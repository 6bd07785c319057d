"""Does a world model rank candidate actions as the world does? Asked in the simulated reach task, seed by seed.

    python -m training.rank_actions --checkpoint tiny --seeds 20

prints Spearman's correlation of predicted cost and true palm-to-goal distance, and what choosing by cost loses; the
simulator's columns are the same cost on what really happens: as good as this cost can get.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.errors import BadInput
from hwm_core.evaluation.ranking import Ranking, rank_actions
from hwm_core.evaluation.reaching import ReachConfig
from hwm_core.evaluation.simulated import FIRST_SEED
from hwm_core.io.atomic import write_json
from hwm_core.world_model.model import WorldModel
from training.command_line import positive
from training.devices import own_device


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED, help="a checkpoint's folder, or tiny or flow_tiny, which ship")
    parser.add_argument("--seeds", type=positive, default=10, help="number of tasks (%(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first task (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML of planner, objective, scoring, max_velocity")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    try:
        config = ReachConfig.read(arguments.config) if arguments.config else ReachConfig()
        world_model = WorldModel.load(checkpoint_path(arguments.checkpoint), device=own_device(arguments.device))
        print("   seed   Spearman model simulator   top-1 regret model simulator")
        rankings = [
            _rank(world_model, seed, config) for seed in range(arguments.seed, arguments.seed + arguments.seeds)
        ]
    except BadInput as error:
        parser.error(str(error))
    means = {
        row: {
            "spearman": float(np.mean([r.agreement()[row].spearman for r in rankings])),
            "top1_regret": float(np.mean([r.agreement()[row].top1_regret for r in rankings])),
        }
        for row in ("model", "simulator")
    }
    print(_line("mean", means["model"], means["simulator"]))
    if arguments.out:
        by_seed = {r.seed: {row: asdict(agreement) for row, agreement in r.agreement().items()} for r in rankings}
        write_json(arguments.out, {"mean": means, "seeds": by_seed})


def _rank(world_model: WorldModel, seed: int, config: ReachConfig) -> Ranking:
    ranking = rank_actions(world_model, seed, config)
    agreement = {row: asdict(value) for row, value in ranking.agreement().items()}
    print(_line(str(seed), agreement["model"], agreement["simulator"]), flush=True)
    return ranking


def _line(name: str, model: dict[str, float], simulator: dict[str, float]) -> str:
    return (
        f"{name:>7}   {model['spearman']:14.2f} {simulator['spearman']:9.2f}"
        f"   {model['top1_regret']:18.2f} {simulator['top1_regret']:9.2f}"
    )


if __name__ == "__main__":
    main()
