"""Score candidate actions by the distance of their predicted future to a goal image.

    python examples/score_actions.py

The goal is the camera image of the simulated humanoid 0.8 s later. The recorded actions, which lead to this image,
should have a lower cost than random actions.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from hwm_core import JointSpace, Objective, ScoreEngine, WorldModel, WorldModelDynamics
from hwm_core.sim.recorder import simulate_episode


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="tiny", help="name of a shipped checkpoint, or a folder (%(default)s)")
    parser.add_argument(
        "--candidates",
        type=int,
        default=8,
        help="number of random candidates, in addition to the recorded actions (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of episode and candidates (%(default)s)")
    options = parser.parse_args(arguments)

    world_model = WorldModel.load(options.checkpoint)
    episode = simulate_episode(options.seed, seconds=3.0).to_episode(world_model.preprocessing)
    actions = world_model.manifest.actions_of(episode)
    now, future = world_model.past_frames, world_model.future_frames

    # Candidates [S, F, A]: the recorded actions first, then straight lines to random postures within the limits.
    manifest, random = world_model.manifest, np.random.default_rng(options.seed)
    targets = random.uniform(manifest.lower, manifest.upper, (options.candidates, manifest.dim))
    share = np.linspace(0, 1, future)[:, None]
    lines = actions[now - 1] + share * (targets[:, None] - actions[now - 1])
    candidates = np.concatenate([actions[None, now : now + future], lines]).astype(np.float32)

    space = JointSpace.from_manifest(manifest, world_model.frame_rate_hz, max_velocity=3.0)
    dynamics = WorldModelDynamics(world_model)
    engine = ScoreEngine(dynamics, Objective(), space)
    past = world_model.observe(episode.frames[:now], actions[:now])
    scores = engine.score(past, dynamics.goal(episode.frames[now + future - 1]), candidates)

    for place, index in enumerate(np.argsort(scores.costs), start=1):
        note = "   the recorded actions" if index == 0 else ""
        print(f"{place:2}. candidate {index} costs {scores.costs[index]:.4f}{note}")


if __name__ == "__main__":
    main()
