"""Plans towards the goal image with any dynamics: the learned model, or the simulator as an oracle."""

from collections.abc import Callable, Sequence
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
from hwm_core.planning.plan import Plan
from hwm_core.planning.proposals.base import Primitive, Proposer
from hwm_core.planning.search import Search
from hwm_core.sim.primitives import primitives_for
from hwm_core.types import Rollout
from hwm_core.world_model.dynamics import WorldModelDynamics

PastOf = Callable[[SimObservation], Any]


class Planned:
    """Searches for actions whose predicted images come near the goal image, and replans after a part of them.

    The goal starts at the first decision: what differs between that image and the goal image counts.

    Args:
        situation: the episode.
        dynamics: predicts futures.
        past_of: what `dynamics` starts from.
        config: of the task.
        proposers: of candidates beside the search's own.
    """

    def __init__(
        self,
        situation: Situation,
        dynamics: Dynamics[Any],
        past_of: PastOf,
        config: PlanningConfig,
        proposers: Sequence[Proposer[Any]] = (),
    ) -> None:
        self._situation, self._dynamics, self._past_of, self._config = situation, dynamics, past_of, config
        self._proposers = proposers
        self.replan_frames = _replan_frames(situation, dynamics.horizon_frames, config)
        self._search: Search[Any] | None = None  # both are made at the first decision
        self._goal: Goal | None = None
        self._plan: Plan | None = None

    def decide(self, observation: SimObservation) -> Decision:
        if self._search is None or self._goal is None:
            self._search, self._goal = self._started(observation)
        past = self._past_of(observation)
        plan = self._plan = self._search.plan(past, self._goal, warm_start=self._rest())

        def predicted() -> NDArray[np.uint8]:
            rollout = self._dynamics.rollout(past, plan.actions[None])
            return to_frames(self._dynamics.decode(past, rollout))[0, -1]

        return Decision(plan.actions.cpu().numpy(), plan.futures, predicted)

    def _started(self, observation: SimObservation) -> tuple[Search[Any], Goal]:
        situation, config = self._situation, self._config
        goal = self._dynamics.goal(situation.goal, observation.frames[-1])
        search: Search[Any] = Search(
            self._dynamics,
            config.objective,
            situation.space,
            config.search.model_copy(update={"joints": situation.joints}),
            primitives_for(situation.joints, observation.actions[-1], situation.space, config.strokes),
            self._proposers,
            seed=situation.seed,
        )
        return search, goal

    def _rest(self) -> Tensor | None:
        """The rest of the last plan."""
        if self._plan is None or self.replan_frames >= len(self._plan.actions):
            return None
        return self._plan.actions[self.replan_frames :]


class WithoutModel:
    """Executes a random motion of the search's primitives: how much of a success is due to them alone?"""

    def __init__(self, situation: Situation, horizon_frames: int, config: PlanningConfig) -> None:
        self._situation, self._horizon_frames = situation, horizon_frames
        self._strokes, self._rng = config.strokes, np.random.default_rng(situation.seed)
        self._generator = torch.Generator().manual_seed(situation.seed)
        self._primitives: list[Primitive] = []
        self.replan_frames = _replan_frames(situation, horizon_frames, config)

    def decide(self, observation: SimObservation) -> Decision:
        space, recent = self._situation.space, torch.from_numpy(observation.actions[-2:])
        if not self._primitives:
            self._primitives = primitives_for(self._situation.joints, observation.actions[-1], space, self._strokes)
        weights = np.array([primitive.weight for primitive in self._primitives])
        primitive = self._primitives[self._rng.choice(len(weights), p=weights / weights.sum())]
        stop = space.stop(recent, self._horizon_frames)
        motion = primitive.motions(primitive.sample(1, self._generator), stop)
        return Decision(space.project(motion, recent, stop)[0].numpy())


def _replan_frames(situation: Situation, horizon_frames: int, config: PlanningConfig) -> int:
    wanted = round(config.replan_seconds * situation.space.frame_rate_hz)
    return min(max(1, wanted), horizon_frames)


class ShuffledDynamics:
    """Every candidate gets the prediction of another one: how much of a success is due to obeyed actions?"""

    def __init__(self, dynamics: WorldModelDynamics, seed: int) -> None:
        self._dynamics, self._seed, self._generator = dynamics, seed, torch.Generator().manual_seed(seed)
        self.num_joints, self.horizon_frames = dynamics.num_joints, dynamics.horizon_frames

    def recent_actions(self, past: Any) -> Tensor:
        return self._dynamics.recent_actions(past)

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        return self._dynamics.goal(image, start)

    def rollout(self, past: Any, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        order = torch.randperm(len(candidates), generator=self._generator)
        return self._dynamics.rollout(past, candidates[order], last_latents)

    def decode(self, past: Any, rollout: Rollout) -> Tensor:
        return self._dynamics.decode(past, rollout)

    def uncertainty(self, past: Any, rollout: Rollout, samples: int, steps: int) -> Tensor:
        return self._dynamics.uncertainty(past, rollout, samples, steps)

    def goal_surprise(self, past: Any, rollout: Rollout, goal: Goal) -> Tensor:
        return self._dynamics.goal_surprise(past, rollout, goal)

    def at_steps(self, steps: int) -> "ShuffledDynamics":
        return ShuffledDynamics(self._dynamics.at_steps(steps), self._seed)
