"""The upper bound of every controller: the search on the true simulator, with the true error as cost."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.controller import Decision, Situation, Truth
from hwm_core.evaluation.closed_loop.planned import Planned
from hwm_core.evaluation.sim_observer import SimObservation, SimObserver, View
from hwm_core.frames import to_video
from hwm_core.planning.costs.goal_changes import GoalChanges
from hwm_core.planning.costs.goal_latent import GoalLatent
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Goal
from hwm_core.sim.tasks.push import PUSH
from hwm_core.types import Rollout

_HORIZON_S = 2.1
# goal_latent divides by at least 1e-6, so the cost is the squared error in thresholds
_ERROR = GoalLatent(weight=1e-6, smoothing=0.0, discount=0.0)
_OBJECTIVE = Objective(goal_changes=GoalChanges(weight=0.0), goal_latent=_ERROR)
_BEHIND_M, _HEIGHT_M = 0.09, 0.05  # the palm's place before it pushes: behind the object, above the table
_GUIDE = 0.25  # metres of error that a metre of the palm from that place weighs


class StateOracle:
    """The search with the true error at the end of the horizon as cost. It expects no image."""

    def __init__(self, situation: Situation, truth: Truth, view: View, config: PlanningConfig) -> None:
        dynamics = StateDynamics(truth, view, round(_HORIZON_S * view.frame_rate_hz))
        config = config.model_copy(update={"objective": _OBJECTIVE})
        self._planned = Planned(situation, dynamics, lambda observation: observation, config)
        self.replan_frames = self._planned.replan_frames

    def decide(self, observation: SimObservation) -> Decision:
        return replace(self._planned.decide(observation), predicted=None)


class StateDynamics:
    """`Dynamics` whose latent is one number, the true error in thresholds of success; the goal is 0."""

    def __init__(self, truth: Truth, view: View, horizon_frames: int) -> None:
        self._robot, self._task, self._view = truth.robot, truth.task, view
        self.num_joints, self.horizon_frames = view.manifest.dim, horizon_frames

    def recent_actions(self, past: SimObservation) -> Tensor:
        return torch.from_numpy(past.actions[-2:])

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        return Goal(to_video(image), torch.zeros(1, 1, 1))

    def rollout(self, past: SimObservation, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        errors = [self._error_after(past, actions) for actions in candidates.cpu().numpy()]
        self._robot.restore(past.state)
        return Rollout(torch.tensor(errors, dtype=torch.float32)[:, None, None, None, None])

    def decode(self, past: SimObservation, rollout: Rollout) -> Tensor:
        raise NotImplementedError("an error has no image; no cost of pixels can be used")

    def _error_after(self, past: SimObservation, actions: NDArray[np.float32]) -> float:
        """Error after the actions [F, A], in thresholds."""
        self._robot.restore(past.state)
        observer = SimObserver(self._robot, self._view)
        for action in actions:
            observer.act(action)
        return (self._task.error(self._robot) + self._guide()) / self._task.kind.threshold

    def _guide(self) -> float:
        """For a push that is not yet done, the distance of the palm from a place behind the object."""
        if self._task.kind is not PUSH or self._task.fulfilled(self._robot):
            return 0.0
        centre = self._task.target.measure(self._robot)
        to_goal = self._task.target.value - centre
        behind = centre - _BEHIND_M * to_goal / np.linalg.norm(to_goal)
        return _GUIDE * float(np.linalg.norm(self._robot.palm("right") - np.append(behind, _HEIGHT_M)))
