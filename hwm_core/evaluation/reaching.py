"""The reach task in closed loop, without ROS: plan to a goal image and replan every few frames. Deterministic."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwm_core.config import Config
from hwm_core.evaluation.coders import ClipCoder
from hwm_core.evaluation.sim_observer import SimObservation, SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Dynamics
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import PlannerConfig, RecedingHorizonPlanner
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sampling.config import Sampling
from hwm_core.sim.model import CONTROL_HZ, SimHumanoid
from hwm_core.sim.tasks.reach import REACH
from hwm_core.sim.tasks.task import make_task
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


class ReachConfig(Config):
    """Settings of planning in the reach task."""

    planner: PlannerConfig = PlannerConfig(joints=REACH.joints)
    objective: Objective = Objective()
    scoring: Sampling = Field(default=Sampling(), description="sampling of the rollouts of candidates")
    max_velocity: float = Field(default=3.0, gt=0, description="speed limit of every joint, in joint units per second")
    replan_frames: int = Field(default=5, ge=1, description="frames of each plan that are executed")

    @model_validator(mode="after")
    def _a_plan_lasts(self) -> "ReachConfig":
        if self.replan_frames > self.planner.horizon_frames:
            raise ValueError("replan_frames <= planner.horizon_frames")
        return self


@dataclass(frozen=True)
class Reach:
    """One episode of the reach task."""

    seed: int
    distances_m: NDArray[np.float64]  # [F + 1] palm to goal, at the start and after every frame
    frames: NDArray[np.uint8]  # [F + 1, H, W, 3] preprocessed, at the same times
    goal: NDArray[np.uint8]  # [H, W, 3] preprocessed
    plans: int

    @property
    def success(self) -> bool:
        return bool(self.distances_m[-1] < REACH.threshold)


def reach(world_model: WorldModel, seed: int, config: ReachConfig, *, true_dynamics: bool = False) -> Reach:
    """Run the reach task of `seed` for REACH.seconds.

    Args:
        true_dynamics: plan with the simulator instead of the model. This shows the limit of objective and search.

    Raises:
        RobotMismatch: the model is of another robot.
        BadConfig: the model's frame rate is not the simulator's.
        MissingGL: the machine cannot render offscreen.
    """
    space = JointSpace.from_manifest(world_model.manifest, world_model.frame_rate_hz, config.max_velocity)
    planner = RecedingHorizonPlanner(config.planner, space, seed)
    with SimHumanoid(seed) as robot:
        observer = SimObserver(robot, world_model)
        task = make_task(REACH, robot, seed)
        observer.hold_until_full()
        learned = WorldModelDynamics(world_model, sampling=config.scoring)
        dynamics: Dynamics[Any] = TrueDynamics(robot, world_model, ClipCoder(world_model)) if true_dynamics else learned
        engine = ScoreEngine(dynamics, config.objective, space)
        goal = learned.goal(world_model.preprocessing.apply(task.goal_image))

        def plan(observation: SimObservation) -> NDArray[np.float32]:
            past = observation if true_dynamics else world_model.observe(observation.frames, observation.actions)
            return planner.plan(
                lambda candidates: torch.from_numpy(engine.score(past, goal, candidates).costs),
                newest=torch.from_numpy(observation.actions[-1]),
                elapsed_frames=config.replan_frames,
            ).actions.numpy()

        distances, frames, plans = [task.error(robot)], [observer.observation().frames[-1]], 0
        for frame in range(round(REACH.seconds * CONTROL_HZ)):
            since_plan = frame % config.replan_frames
            if since_plan == 0:
                actions = plan(observer.observation())
                plans += 1
            frames.append(observer.step(actions[since_plan]))
            distances.append(task.error(robot))
    goal_image = world_model.preprocessing.apply(task.goal_image)
    return Reach(seed, np.array(distances), np.stack(frames), goal_image, plans)
