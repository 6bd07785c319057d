"""Plans towards the goal image with any dynamics: the learned model, or the simulator as an oracle."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.controller import Decision, Situation
from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.frames import to_frames
from hwm_core.planning.dynamics import Dynamics, Goal
from hwm_core.planning.receding_horizon import RecedingHorizonPlanner
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.types import Rollout

PastOf = Callable[[SimObservation], Any]


class Planned:
    """Searches for actions whose predicted images come near the goal image, and replans after a part of them.

    Args:
        situation: the episode.
        dynamics: predicts futures.
        past_of: what `dynamics` starts from.
        config: of the task.
    """

    def __init__(self, situation: Situation, dynamics: Dynamics[Any], past_of: PastOf, config: PlanningConfig) -> None:
        search = {"joints": situation.joints, "horizon_frames": dynamics.horizon_frames}
        self._planner = RecedingHorizonPlanner(
            config.planner.model_copy(update=search), situation.space, situation.seed
        )
        self._engine = ScoreEngine(dynamics, config.objective, situation.space)
        self._dynamics, self._past_of, self._goal = dynamics, past_of, dynamics.goal(situation.goal)
        wanted = round(config.replan_seconds * situation.space.frame_rate_hz)
        self.replan_frames = min(max(1, wanted), dynamics.horizon_frames)
        self._planned = False

    def decide(self, observation: SimObservation) -> Decision:
        past, self._futures = self._past_of(observation), 0

        def score(candidates: Tensor) -> Tensor:
            self._futures += len(candidates)
            return torch.from_numpy(self._engine.score(past, self._goal, candidates).costs)

        newest = torch.from_numpy(observation.actions[-1])
        plan = self._planner.plan(score, newest, self.replan_frames if self._planned else None)
        self._planned = True

        def predicted() -> NDArray[np.uint8]:
            rollout = self._dynamics.rollout(past, plan.actions[None])
            return to_frames(self._dynamics.decode(past, rollout))[0, -1]

        return Decision(plan.actions.numpy(), self._futures, predicted)


class WithoutModel:
    """Executes one of the planner's first proposals, chosen at random: how much of a success is the proposals'?"""

    def __init__(self, situation: Situation, horizon_frames: int, config: PlanningConfig) -> None:
        search = {"joints": situation.joints, "horizon_frames": horizon_frames}
        self._planner = RecedingHorizonPlanner(
            config.planner.model_copy(update=search), situation.space, situation.seed
        )
        self._rng = np.random.default_rng(situation.seed)
        wanted = round(config.replan_seconds * situation.space.frame_rate_hz)
        self.replan_frames = min(max(1, wanted), horizon_frames)

    def decide(self, observation: SimObservation) -> Decision:
        proposals = self._planner.propose(torch.from_numpy(observation.actions[-1])).numpy()
        return Decision(proposals[self._rng.integers(len(proposals))])


class ShuffledDynamics:
    """Every candidate gets the prediction of another one: how much of a success is due to obeyed actions?"""

    def __init__(self, dynamics: Dynamics[Any], seed: int) -> None:
        self._dynamics, self._generator = dynamics, torch.Generator().manual_seed(seed)
        self.num_joints, self.horizon_frames = dynamics.num_joints, dynamics.horizon_frames

    def recent_actions(self, past: Any) -> Tensor:
        return self._dynamics.recent_actions(past)

    def goal(self, image: NDArray[np.uint8]) -> Goal:
        return self._dynamics.goal(image)

    def rollout(self, past: Any, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        order = torch.randperm(len(candidates), generator=self._generator)
        return self._dynamics.rollout(past, candidates[order], last_latents)

    def decode(self, past: Any, rollout: Rollout) -> Tensor:
        return self._dynamics.decode(past, rollout)
