"""How costs rank candidate actions, compared with what each candidate does in the simulator.

It tells an error of the cost from an error of the model, with less noise than success rates: the same candidates get
costs from true images, from true images through the tokenizer, and from the model's predictions.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.limits import joint_space
from hwm_core.evaluation.closed_loop.ranking_candidates import ranking_candidates
from hwm_core.evaluation.closed_loop.ranking_record import Agreement, RankingRecord
from hwm_core.evaluation.coders import ClipCoder, Coder, PixelCoder
from hwm_core.evaluation.sim_observer import SimObservation, SimObserver
from hwm_core.frames import to_video
from hwm_core.planning.costs.goal_changes import GoalChanges
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Dynamics, Goal
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.task import Task, TaskKind, make_task
from hwm_core.types import Rollout
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

PIXEL_OBJECTIVE = Objective(goal_changes=GoalChanges(smoothings=(1.5,), spread=2.0))
"""The cost of the source `truth`: the last image's pixels, where the goal image differs from the one at the start."""

PLACES = ("start", "near")
_NEAR = 1.5  # `near` starts where the demonstration's error first falls below this multiple of the threshold


def rank_candidates(
    robot: SimHumanoid,
    world_model: WorldModel,
    kind: TaskKind,
    seed: int,
    place: str,
    count: int,
    config: PlanningConfig,
) -> RankingRecord:
    """Score candidates of one task, and run each of them in the simulator.

    Args:
        robot: simulated robot; it is reset.
        world_model: predicts, and its tokenizer encodes the true images.
        kind: kind of task.
        seed: of the task and of the candidates.
        place: "start", or "near" the goal, where a part of the demonstration brought the robot.
        count: number of candidates.
        config: settings of planning; those of the task are used.

    Raises:
        NoTask: the seed has no task.
        RobotMismatch, BadConfig, MissingGL: as `run_episode`.
    """
    config = config.of_task(kind.name)
    space = joint_space(world_model, config)
    task, observer = make_task(kind, robot, seed), SimObserver(robot, world_model)
    start_image = world_model.preprocessing.apply(robot.render())
    rest = task.demonstration if place == "start" else _go_near(robot, task)
    observer.hold_until_full()
    observation = observer.observation()
    true = observer.actions_of(rest)
    newest, horizon = observation.actions[-1], world_model.future_frames
    candidates = ranking_candidates(newest, true, horizon, space, kind.joints, count, seed)
    frames, errors = _run_all(robot, world_model, task, observation, candidates)
    goal_image = world_model.preprocessing.apply(task.goal_image)
    joints, model = world_model.manifest.dim, WorldModelDynamics(world_model, sampling=config.scoring)
    sources: dict[str, tuple[Dynamics[Any], Any, Objective]] = {
        "truth": (_Recorded(PixelCoder(horizon), frames, joints), observation, PIXEL_OBJECTIVE),
        "tokenizer": (_Recorded(ClipCoder(world_model), frames, joints), observation, config.objective),
        "model": (model, world_model.observe(observation.frames, observation.actions), config.objective),
    }
    costs = {}
    for name, (dynamics, past, objective) in sources.items():
        goal = dynamics.goal(goal_image, start_image)
        costs[name] = ScoreEngine(dynamics, objective, space).score(past, goal, candidates).costs
    return RankingRecord(
        errors=tuple(round(float(error), 5) for error in errors),
        sources={name: Agreement.of(values, errors) for name, values in costs.items()},
    )


class _Recorded:
    """`Dynamics` that returns the recorded frames of all candidates."""

    def __init__(self, coder: Coder, frames: NDArray[np.uint8], joints: int) -> None:
        self._coder, self._frames = coder, frames[:, list(coder.rendered)]
        self.num_joints, self.horizon_frames = joints, coder.horizon_frames

    def recent_actions(self, past: SimObservation) -> Tensor:
        return torch.from_numpy(past.actions[-2:])

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        return self._coder.goal(image, start)

    def rollout(self, past: SimObservation, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        latents = self._coder.latents(past.frames, self._frames)
        return Rollout(latents, video=to_video(self._frames, latents.device))

    def decode(self, past: SimObservation, rollout: Rollout) -> Tensor:
        assert rollout.video is not None
        return rollout.video


def _go_near(robot: SimHumanoid, task: Task) -> NDArray[np.float64]:
    """Follow the demonstration until the goal is near; returns the rest of it, [F, A]."""
    sent = 0
    while task.error(robot) > _NEAR * task.kind.threshold:
        robot.command(task.demonstration[sent])
        robot.advance()
        sent += 1
    return task.demonstration[sent:]


def _run_all(
    robot: SimHumanoid,
    world_model: WorldModel,
    task: Task,
    observation: SimObservation,
    candidates: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Frames [S, F, H, W, 3] and final errors [S] of candidates [S, F, A]; the robot's state is restored."""
    frames, errors = [], []
    for actions in candidates:
        robot.restore(observation.state)
        observer = SimObserver(robot, world_model)
        frames.append(np.stack([observer.step(action) for action in actions]))
        errors.append(task.error(robot))
    robot.restore(observation.state)
    return np.stack(frames), np.array(errors)
