"""Reach goal images with the simulated humanoid in closed loop, by planning in a world model, without ROS.

    python -m training.reach --checkpoint tiny --seeds 5 --out reach_out

writes reach.json and an image strip for each seed. --simulator plans with the simulator itself, as an upper bound.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.evaluation.reaching import Reach, ReachConfig, reach
from hwm_core.evaluation.simulated import FIRST_SEED
from hwm_core.io.atomic import new_file, write_json
from hwm_core.visualization import plan_strip, write_png
from hwm_core.world_model.model import WorldModel
from training.command_line import positive, run_command
from training.devices import own_device


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status. 0: done; 2: bad input."""
    return run_command(build_parser(), reach_goals, arguments)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--checkpoint", default=SHIPPED, help="checkpoint folder; tiny and flow_tiny are included (%(default)s)"
    )
    parser.add_argument("--seeds", type=positive, default=5, help="number of episodes (%(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first episode (%(default)s)")
    parser.add_argument(
        "--config", type=Path, help="YAML file with planner, objective, scoring, max_velocity, replan_frames"
    )
    parser.add_argument("--simulator", action="store_true", help="plan with the simulator instead of the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("reach_out"), help="folder to write (%(default)s)")
    return parser


def reach_goals(options: argparse.Namespace) -> int:
    """Run an episode for each seed and write the results. Raises BadInput for errors of the user."""
    config = ReachConfig.read(options.config) if options.config else ReachConfig()
    world_model = WorldModel.load(checkpoint_path(options.checkpoint), device=own_device(options.device))
    options.out.mkdir(parents=True, exist_ok=True)
    episodes = []
    for seed in range(options.seed, options.seed + options.seeds):
        episode = reach(world_model, seed, config, true_dynamics=options.simulator)
        episodes.append(_report(episode, options.out))
    ratio = float(np.median([one["distance_after_m"] / one["distance_before_m"] for one in episodes]))
    successes = sum(one["success"] for one in episodes)
    print(f"{successes} of {len(episodes)} reached; median palm-to-goal distance at the end: {ratio:.2f} of the start")
    write_json(options.out / "reach.json", {"median_ratio": ratio, "episodes": episodes})
    return 0


def _report(episode: Reach, out: Path) -> dict[str, float | bool]:
    """Print the result and draw the strip; returns the result, JSON-able."""
    before, after = float(episode.distances_m[0]), float(episode.distances_m[-1])
    outcome = "reached" if episode.success else "not reached"
    distance = f"palm to goal {before:.3f} m -> {after:.3f} m"
    print(f"seed {episode.seed}: {distance}, {outcome}", flush=True)
    title, notes = f"Reach, seed {episode.seed}: {outcome}", (distance, f"{episode.plans} plans")
    strip = plan_strip(title, notes, episode.frames[0], episode.goal, episode.frames[1:])
    with new_file(out / f"reach_{episode.seed}.png") as partial:
        write_png(partial, strip)
    return {"seed": episode.seed, "distance_before_m": before, "distance_after_m": after, "success": episode.success}


if __name__ == "__main__":
    sys.exit(main())
