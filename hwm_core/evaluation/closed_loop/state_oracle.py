"""The upper bound of every controller: search on the true simulator with the true error as cost."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.closed_loop.controller import Decision, Situation, Truth
from hwm_core.evaluation.sim_observer import SimObservation, SimObserver, View
from hwm_core.planning.receding_horizon import PlannerConfig, RecedingHorizonPlanner
from hwm_core.planning.solvers.icem import ICEMConfig
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.push import PUSH

_SHAPES = {"push": (1.6, 3)}  # horizon in seconds and knots: a push needs an approach and a stroke
_ONE_MOVE = (0.8, 1)
_REPLAN_S = 0.4
_SEARCH = ICEMConfig(candidates=64, iterations=4, elites=8, keep_elites=2, decay=1.0)
_BEHIND_M, _HEIGHT_M = 0.09, 0.05  # the palm's place before it pushes: behind the object, above the table
_GUIDE = 0.5  # metres of error that a metre of the palm from that place weighs


class StateOracle:
    """CEM over joint splines; the cost is the mean of the true errors at the middle and the end of the horizon."""

    def __init__(self, situation: Situation, truth: Truth, view: View) -> None:
        rate = situation.space.frame_rate_hz
        self._robot, self._task, self._view = truth.robot, truth.task, view
        horizon_s, knots = _SHAPES.get(truth.task.kind.name, _ONE_MOVE)
        self._frames = round(horizon_s * rate)
        self.replan_frames = max(1, round(_REPLAN_S * rate))
        config = PlannerConfig(horizon_frames=self._frames, joints=situation.joints, knots=knots, cem=_SEARCH)
        self._planner = RecedingHorizonPlanner(config, situation.space, situation.seed)
        self._decided = False

    def decide(self, observation: SimObservation) -> Decision:
        self._evaluated = 0
        newest = torch.from_numpy(observation.actions[-1])
        elapsed = self.replan_frames if self._decided else None
        plan = self._planner.plan(lambda candidates: self._costs(observation, candidates), newest, elapsed)
        self._decided = True
        return Decision(plan.actions.numpy(), self._evaluated)

    def _costs(self, observation: SimObservation, candidates: Tensor) -> Tensor:
        self._evaluated += len(candidates)
        costs = [self._cost(observation, actions) for actions in candidates.numpy()]
        self._robot.restore(observation.state)
        return torch.tensor(costs)

    def _cost(self, observation: SimObservation, actions: NDArray[np.float32]) -> float:
        self._robot.restore(observation.state)
        observer, costs = SimObserver(self._robot, self._view), []
        for frame, action in enumerate(actions, start=1):
            observer.act(action)
            if frame in (self._frames // 2, self._frames):
                costs.append(self._task.error(self._robot) + self._guide(self._robot))
        return float(np.mean(costs))

    def _guide(self, robot: SimHumanoid) -> float:
        """For a push that is not yet done, the distance of the palm from a place behind the object."""
        if self._task.kind is not PUSH or self._task.error(robot) < 0.5 * PUSH.threshold:
            return 0.0
        centre = self._task.target.measure(robot)
        to_goal = self._task.target.value - centre
        behind = centre - _BEHIND_M * to_goal / np.linalg.norm(to_goal)
        return _GUIDE * float(np.linalg.norm(robot.palm("right") - np.append(behind, _HEIGHT_M)))
