"""Does the predicted cost order candidate actions as the world does? Less scattered than success rates, and no luck."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.reaching import ReachConfig
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.metrics.ranking import spearman, top1_regret
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import RecedingHorizonPlanner
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks import make_reach_task
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class Agreement:
    """How one cost orders the candidates of one task."""

    spearman: float  # against the true distances; 1 is perfect, 0 is chance
    top1_regret: float  # what choosing by the cost loses, as a share of the spread of the true distances


@dataclass(frozen=True)
class Ranking:
    """S candidates of one reach task."""

    seed: int
    distances_m: NDArray[np.float64]  # [S] palm to goal after the horizon, truly
    costs: Mapping[str, NDArray[np.float32]]  # {"model", "simulator"}: the same objective on either's futures

    def agreement(self) -> dict[str, Agreement]:
        """The simulator's row is what the objective could do with a perfect model."""
        return {
            row: Agreement(spearman(costs, self.distances_m), top1_regret(costs, self.distances_m))
            for row, costs in self.costs.items()
        }


def rank_actions(world_model: WorldModel, seed: int, config: ReachConfig) -> Ranking:
    """Score the first candidates of a search in the reach task of `seed`, and really run each of them.

    Raises:
        RobotMismatch, BadConfig, MissingGL: as `reach`.
    """
    space = JointSpace.from_manifest(world_model.manifest, world_model.frame_rate_hz, config.max_velocity)
    with SimHumanoid(seed) as robot:
        task = make_reach_task(robot, seed)
        observer = SimObserver(robot, world_model)
        observer.hold_until_full()
        observation = observer.observation()
        truth, dynamics = TrueDynamics(robot, world_model), WorldModelDynamics(world_model, sampling=config.scoring)
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
            distances.append(task.distance_m(robot))
    return Ranking(seed, np.array(distances), costs)
