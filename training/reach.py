"""Reach goal images with the simulated humanoid in closed loop, planning in a world model. Without ROS."""

import argparse
import sys
from pathlib import Path

import numpy as np

from hwm_core.errors import BadConfig
from hwm_core.evaluation.reaching import Reach, ReachConfig, reach
from hwm_core.io.atomic import new_file, write_json
from hwm_core.sim.tasks.task import NoTask
from hwm_core.visualization import plan_strip, write_png
from hwm_core.world_model.model import WorldModel

from .devices import own_device


def reach_goals(options: argparse.Namespace) -> int:
    """Run an episode for each seed and write the results. Raises BadInput for errors of the user."""
    config = ReachConfig.read(options.config) if options.config else ReachConfig()
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device))
    options.out.mkdir(parents=True, exist_ok=True)
    episodes = []
    for seed in range(options.seed, options.seed + options.seeds):
        try:
            episode = reach(world_model, seed, config, true_dynamics=options.simulator)
        except NoTask as fault:
            print(f"skipped {fault}", file=sys.stderr)
            continue
        episodes.append(_report(episode, options.out))
    if not episodes:
        raise BadConfig("--seed", expected="a seed with a reach task", got="none", remedy="Choose other seeds.")
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
