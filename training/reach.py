"""Reach goal images with the simulated humanoid, planning in a world model: the closed loop, without ROS.

    python -m training.reach --checkpoint tiny --seeds 5 --out reach_out

writes reach.json and a picture strip per seed. --simulator plans with the simulator itself, which no robot can.
"""

import argparse
from pathlib import Path

import numpy as np

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.errors import BadInput
from hwm_core.evaluation.reaching import Reach, ReachConfig, reach
from hwm_core.evaluation.simulated import FIRST_SEED
from hwm_core.io.atomic import new_file, write_json
from hwm_core.visualization import plan_strip, write_png
from hwm_core.world_model.model import WorldModel
from training.command_line import positive
from training.devices import own_device


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED, help="a checkpoint's folder, or tiny or flow_tiny, which ship")
    parser.add_argument("--seeds", type=positive, default=5, help="number of episodes (%(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first episode (%(default)s)")
    parser.add_argument("--config", type=Path, help="YAML of planner, objective, scoring, max_velocity, replan_frames")
    parser.add_argument("--simulator", action="store_true", help="plan with the true dynamics")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("reach_out"), help="folder to write (%(default)s)")
    arguments = parser.parse_args()
    try:
        config = ReachConfig.read(arguments.config) if arguments.config else ReachConfig()
        world_model = WorldModel.load(checkpoint_path(arguments.checkpoint), device=own_device(arguments.device))
        arguments.out.mkdir(parents=True, exist_ok=True)
        rows = []
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            done = reach(world_model, seed, config, true_dynamics=arguments.simulator)
            rows.append(_report(done, arguments.out))
    except BadInput as error:
        parser.error(str(error))
    ratio = float(np.median([row["distance_after_m"] / row["distance_before_m"] for row in rows]))
    successes = sum(row["success"] for row in rows)
    print(f"{successes} of {len(rows)} reached; the median palm ends at {ratio:.2f} of its distance at the start")
    write_json(arguments.out / "reach.json", {"median_ratio": ratio, "episodes": rows})


def _report(done: Reach, out: Path) -> dict[str, float | bool]:
    before, after = float(done.distances_m[0]), float(done.distances_m[-1])
    verdict = "reached" if done.success else "not reached"
    print(f"seed {done.seed}: palm to goal {before:.3f} m -> {after:.3f} m, {verdict}", flush=True)
    notes = (f"palm to goal {before:.3f} m -> {after:.3f} m", f"{done.plans} plans")
    strip = plan_strip(f"Reach, seed {done.seed}: {verdict}", notes, done.frames[0], done.goal, done.frames[1:])
    with new_file(out / f"reach_{done.seed}.png") as partial:
        write_png(partial, strip)
    return {"seed": done.seed, "distance_before_m": before, "distance_after_m": after, "success": done.success}


if __name__ == "__main__":
    main()
