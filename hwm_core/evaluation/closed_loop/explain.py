"""Where a cost is lowest around a motion that reaches the goal, at the start of one task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.limits import joint_space
from hwm_core.evaluation.closed_loop.ranking_candidates import goal_reaching
from hwm_core.evaluation.coders import StillCoder
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.frames import to_frames
from hwm_core.planning.cost_landscape import CostSlice, cost_landscape
from hwm_core.planning.dynamics import Dynamics
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.task import TaskKind, make_task
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

_WIDTH, _STEPS, _DIRECTIONS = 1.0, 6, 4


@dataclass(frozen=True)
class Explanation:
    """The cost around the goal-reaching motion of one task."""

    slices: list[CostSlice]
    cost: float  # of the goal-reaching motion
    cost_of_holding: float
    start: NDArray[np.uint8]  # [H, W, 3] preprocessed images: now, the goal, and the predicted end of the motion
    goal: NDArray[np.uint8]
    predicted: NDArray[np.uint8]


def explain(
    robot: SimHumanoid, world_model: WorldModel, kind: TaskKind, seed: int, config: PlanningConfig, *, simulator: bool
) -> Explanation:
    """Costs of motions around the demonstration of the task.

    Args:
        robot: simulated robot; it is reset.
        world_model: predicts, or only encodes.
        kind: kind of task.
        seed: of the task and of the random directions.
        config: settings of planning; those of the task are used.
        simulator: predict with the simulator instead of the model; its images pass the model's tokenizer.

    Raises:
        NoTask: the seed has no task.
        RobotMismatch, BadConfig, MissingGL: as `run_episode`.
    """
    config = config.of_task(kind.name)
    space = joint_space(world_model, config)
    task, observer = make_task(kind, robot, seed), SimObserver(robot, world_model)
    observer.hold_until_full()
    observation = observer.observation()
    goal_image, start_image = world_model.preprocessing.apply(task.goal_image), observation.frames[-1]
    demonstration = observer.actions_of(task.demonstration)
    true = goal_reaching(observation.actions[-1], demonstration, world_model.future_frames, space, kind.joints)
    if simulator:
        dynamics: Dynamics[Any] = TrueDynamics(robot, world_model, StillCoder(world_model))
        past: Any = observation
    else:
        dynamics = WorldModelDynamics(world_model, sampling=config.scoring)
        past = world_model.observe(observation.frames, observation.actions)
    engine, goal = ScoreEngine(dynamics, config.objective, space), dynamics.goal(goal_image, start_image)
    hold = torch.from_numpy(observation.actions[-1]).expand_as(true)
    cost, cost_of_holding = engine.costs(past, goal, torch.stack([true, hold])).tolist()
    slices = cost_landscape(
        lambda motions: engine.costs(past, goal, motions),
        true,
        space,
        space.index(kind.joints),
        width=_WIDTH,
        steps=_STEPS,
        directions=_DIRECTIONS,
        generator=torch.Generator().manual_seed(seed),
    )
    predicted = to_frames(dynamics.decode(past, dynamics.rollout(past, true[None])))[0, -1]
    return Explanation(slices, cost, cost_of_holding, start_image, goal_image, predicted)
