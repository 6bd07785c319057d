"""The duration of whole plans: the search, its proposals and the model together."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.speed.scene import Scene
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.search import Search
from hwm_core.sim.primitives import primitives_for
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class PlanSpeed:
    """What plans take, from images to actions on the CPU."""

    wall_ms: tuple[float, ...]  # of each plan
    processor_ms: tuple[float, ...]
    futures: float  # predicted in a plan, the mean

    @property
    def p50_ms(self) -> float:
        """The median of the wall time."""
        return float(np.median(self.wall_ms))


def time_plans(world_model: WorldModel, scenes: Sequence[Scene], config: PlanningConfig, repeats: int) -> PlanSpeed:
    """Plan `repeats` times in each scene, after one plan that is not timed.

    Raises BadInput as `Search.plan`.
    """
    space = JointSpace.from_manifest(
        world_model.manifest, world_model.frame_rate_hz, config.max_velocity, world_model.device
    )
    wall, processor, futures = [], [], []
    for scene in scenes:
        of_task = config.of_task(scene.task)
        dynamics = WorldModelDynamics(world_model, sampling=of_task.scoring)
        # A plan as they follow each other on a robot; the first one predicts more
        settings = of_task.search.model_copy(update={"joints": scene.joints, "first_batches": 1})
        motions = primitives_for(scene.joints, scene.actions[-1], space)
        search: Search[Any] = Search(dynamics, of_task.objective, space, settings, motions, seed=scene.seed)
        goal = dynamics.goal(scene.goal, scene.frames[-1])
        for repeat in range(1 + repeats):
            start, start_processor = perf_counter(), process_time()
            plan = search.plan(world_model.observe(scene.frames, scene.actions), goal)
            plan.actions.cpu()
            if repeat:
                wall.append(1e3 * (perf_counter() - start))
                processor.append(1e3 * (process_time() - start_processor))
                futures.append(plan.futures)
    return PlanSpeed(tuple(wall), tuple(processor), float(np.mean(futures)))
