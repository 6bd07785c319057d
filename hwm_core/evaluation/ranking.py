"""How well predicted costs rank candidate actions, compared with running each candidate in the simulator.

This measure of a model has less noise than a success rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.coders import ClipCoder
from hwm_core.evaluation.reaching import ReachConfig
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.metrics.ranking import spearman, top1_regret
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import RecedingHorizonPlanner
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.reach import REACH
from hwm_core.sim.tasks.task import make_task
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class Agreement:
    """How well one cost ranks the candidates of one task."""

    spearman: float  # against the true distances; 1 is perfect, 0 is chance
    top1_regret: float  # excess distance of the choice by this cost, as a fraction of the range of the true distances


@dataclass(frozen=True)
class Ranking:
    """S candidates of one reach task."""

    seed: int
    distances_m: NDArray[np.float64]  # [S] palm to goal at the end of the horizon, in the simulator
    costs: Mapping[
        str, NDArray[np.float32]
    ]  # {"model", "simulator"}: [S] the same objective on the rollouts of the model or the simulator

    def agreement(self) -> dict[str, Agreement]:
        """The agreement of each cost with the true distances. `simulator` is the agreement with a perfect model."""
        return {
            dynamics: Agreement(spearman(costs, self.distances_m), top1_regret(costs, self.distances_m))
            for dynamics, costs in self.costs.items()
        }


def rank_actions(world_model: WorldModel, seed: int, config: ReachConfig) -> Ranking:
    """Score the first candidates of a search in the reach task of `seed`, and run each of them in the simulator.

    Raises:
        RobotMismatch, BadConfig, MissingGL: as `reach`.
    """
    space = JointSpace.from_manifest(world_model.manifest, world_model.frame_rate_hz, config.max_velocity)
    with SimHumanoid(seed) as robot:
        task = make_task(REACH, robot, seed)
        observer = SimObserver(robot, world_model)
        observer.hold_until_full()
        observation = observer.observation()
        truth, dynamics = (
            TrueDynamics(robot, world_model, ClipCoder(world_model)),
            WorldModelDynamics(world_model, sampling=config.scoring),
        )
        goal = dynamics.goal(world_model.preprocessing.apply(task.goal_image))
        candidates = RecedingHorizonPlanner(config.planner, space, seed).propose(truth.recent_actions(observation)[-1])
        past = world_model.observe(observation.frames, observation.actions)
        costs = {
            "model": ScoreEngine(dynamics, config.objective, space).score(past, goal, candidates).costs,
            "simulator": ScoreEngine(truth, config.objective, space).score(observation, goal, candidates).costs,
        }
        distances = []
        for actions in candidates.numpy():
            robot.restore(observation.state)
            for action in actions:
                observer.act(action)
            distances.append(task.error(robot))
    return Ranking(seed, np.array(distances), costs)
