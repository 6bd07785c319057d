"""Write your own planner: random shooting over the `Dynamics` protocol, instead of hwm's `Search`.

    python examples/own_planner.py

Planning needs only the protocol `hwm_core.planning.dynamics.Dynamics`: `rollout` predicts the futures of candidates,
and `goal` encodes a goal image. A planner works with any object that has these methods: a world model or a simulator.
"""

import argparse
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from hwm_core import WorldModel, WorldModelDynamics
from hwm_core.planning.dynamics import Dynamics, Goal
from hwm_core.sim.recorder import simulate_episode

Past = TypeVar("Past")


def random_shooting(
    dynamics: Dynamics[Past], past: Past, goal: Goal, spread: Tensor, *, candidates: int, generator: torch.Generator
) -> tuple[Tensor, float]:
    """The best of `candidates` random ramps from the newest action.

    Args:
        spread: [A] standard deviation of the end of a ramp, relative to the newest action.

    Returns:
        Actions [F, A], and the squared distance of their last predicted latent from the goal's latent.
    """
    newest = dynamics.recent_actions(past)[-1]
    ends = newest + spread * torch.randn(candidates, dynamics.num_joints, generator=generator)
    share = torch.linspace(0, 1, dynamics.horizon_frames)[:, None]
    actions = newest + share * (ends[:, None] - newest)
    rollout = dynamics.rollout(past, actions)
    costs = (rollout.latents[:, -1].float() - goal.latent.float()).square().mean(dim=(1, 2, 3))
    best = int(costs.argmin())
    return actions[best], float(costs[best])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="tiny", help="name of a shipped checkpoint, or a folder (%(default)s)")
    parser.add_argument("--candidates", type=int, default=32, help="%(default)s")
    parser.add_argument("--seed", type=int, default=7, help="seed of episode and search (%(default)s)")
    options = parser.parse_args(arguments)

    world_model = WorldModel.load(options.checkpoint)
    episode = simulate_episode(options.seed, seconds=3.0).to_episode(world_model.preprocessing)
    actions = world_model.manifest.actions_of(episode)
    now = world_model.past_frames
    past = world_model.observe(episode.frames[:now], actions[:now])

    dynamics = WorldModelDynamics(world_model)
    goal = dynamics.goal(episode.frames[now + world_model.future_frames - 1])
    spread = 0.5 * torch.tensor(world_model.manifest.std)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.inference_mode():
        plan, cost = random_shooting(dynamics, past, goal, spread, candidates=options.candidates, generator=generator)
    print(f"The best of {options.candidates} ramps costs {cost:.4f}; it moves")
    for name, first, last in zip(world_model.manifest.names, plan[0].tolist(), plan[-1].tolist(), strict=True):
        if abs(last - first) > 0.1:
            print(f"  {name} from {first:+.2f} to {last:+.2f}")


if __name__ == "__main__":
    main()
