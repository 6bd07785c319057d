"""What is scored in a measurement of speed: the start of a task, and candidates from bad to perfect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.closed_loop.ranking_candidates import ranking_candidates
from hwm_core.evaluation.sim_observer import SimObserver, View
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.task import TaskKind, make_task


@dataclass(frozen=True)
class Scene:
    """One task of the simulated humanoid at its start."""

    task: str
    seed: int
    joints: tuple[str, ...]  # that the task plans
    frames: NDArray[np.uint8]  # [P, H, W, 3] the observed context, preprocessed
    actions: NDArray[np.float32]  # [P, A] with their actions
    goal: NDArray[np.uint8]  # [H, W, 3] preprocessed
    candidates: NDArray[np.float32]  # [S, F, A]


def make_scene(
    robot: SimHumanoid, view: View, kind: TaskKind, seed: int, space: JointSpace, horizon_frames: int, count: int
) -> Scene:
    """The start of a task, with `count` candidates of F = `horizon_frames` (see `ranking_candidates`).

    Raises:
        NoTask: the seed has no task.
        RobotMismatch, BadConfig, MissingGL: as `run_episode`.
    """
    task, observer = make_task(kind, robot, seed), SimObserver(robot, view)
    observer.hold_until_full()
    observation = observer.observation()
    true = observer.actions_of(task.demonstration)
    newest = observation.actions[-1]
    return Scene(
        task=kind.name,
        seed=seed,
        joints=kind.joints,
        frames=observation.frames,
        actions=observation.actions,
        goal=view.preprocessing.apply(task.goal_image),
        candidates=ranking_candidates(newest, true, horizon_frames, space, kind.joints, count, seed),
    )
