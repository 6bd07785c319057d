"""Scores candidate actions: roll them out, then sum the costs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.clips import hold_last
from hwm_core.data.robot.joint_limits import LARGEST_VALUE
from hwm_core.errors import BadActions, BadImage
from hwm_core.planning.costs.base import Candidates, no_tokens, no_uncertainty
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Dynamics, Goal, TokenDynamics, UncertainDynamics
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.search_trace import SearchTrace
from hwm_core.types import Rollout

PastT = TypeVar("PastT")

_LEAST_SLACK = 0.1  # joint units


@dataclass(frozen=True)
class Scores:
    """The costs of S candidates; lower is better."""

    costs: NDArray[np.float32]  # [S]
    terms: Mapping[str, NDArray[np.float32]]  # {name: [S]}, weighted: they sum to the costs
    best: int  # index of the lowest cost
    seconds: Mapping[str, float]  # {"rollout", "cost", "uncertainty"}: duration of each stage
    uncertainties: NDArray[np.float32] | None = None  # [S] about 0 (sure) to 1, if asked for


class ScoreEngine(Generic[PastT]):
    """Scores candidates from one past towards one goal, in one batch.

    Args:
        dynamics: predicts the futures.
        objective: the costs and their weights.
        space: limits and scales of the joints; its device holds the candidates.
        clock: seconds, for the reported durations.
    """

    def __init__(
        self,
        dynamics: Dynamics[PastT],
        objective: Objective,
        space: JointSpace,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._dynamics, self._objective, self._space, self._clock = dynamics, objective, space, clock

    @torch.inference_mode()
    def score(
        self,
        past: PastT,
        goal: Goal,
        candidates: NDArray[np.float32] | Tensor,
        uncertainty: tuple[int, int] | None = None,
    ) -> Scores:
        """Costs of candidates.

        Args:
            past: the starting point of all candidates.
            goal: the goal image.
            candidates: [S, F, A] in joint units. If F is shorter than the horizon, the last action is held.
            uncertainty: (samples, steps) of `UncertainDynamics`, to estimate how unsure each future is; None: do not.

        Raises:
            BadActions: wrong shape, no candidate, a value that is not finite, or one further from the joint limits
                than they are apart. Candidates a little outside are scored: their cost tells.
            BadConfig: an uncertainty of dynamics that have none.
            FloatingPointError: the model predicted a value that is not finite.
        """
        actions = self.checked(candidates)
        self._require_near_limits(actions)
        start = self._clock()
        rollout = self._roll_out(past, actions)
        synchronise(rollout.latents)
        rolled_out = self._clock()
        tensors = self._terms(past, goal, actions, rollout)
        table = torch.stack([actions.new_zeros(len(actions)), *tensors.values()]).cpu().numpy()  # one transfer for all
        terms = dict(zip(tensors, table[1:]))
        costs = sum(terms.values(), start=np.zeros(len(actions), np.float32))
        if not np.isfinite(costs).all():
            broken = [name for name, values in terms.items() if not np.isfinite(values).all()]
            raise FloatingPointError(f"the predicted futures have costs that are not finite: {', '.join(broken)}")
        scored = self._clock()
        unsure = None
        if uncertainty is not None:
            if not isinstance(self._dynamics, UncertainDynamics):
                no_uncertainty(*uncertainty)
            cells = self._dynamics.uncertainty(past, rollout, *uncertainty)
            unsure = cells.float().mean(dim=(1, 2, 3)).cpu().numpy()
        seconds = {"rollout": rolled_out - start, "cost": scored - rolled_out, "uncertainty": self._clock() - scored}
        return Scores(costs, terms, int(costs.argmin()), seconds, unsure)

    def costs(self, past: PastT, goal: Goal, actions: Tensor, trace: SearchTrace | None = None) -> Tensor:
        """Costs [S] of candidates [S, F, A] that need no check, F the whole horizon. Does not wait for the GPU.

        Their terms are added to `trace`.

        Raises:
            BadImage: the goal has another size than the predicted latents.
        """
        terms = self._terms(past, goal, actions, self._roll_out(past, actions))
        if trace is not None:
            trace.add(terms)
        return sum(terms.values(), start=actions.new_zeros(len(actions)))

    def _roll_out(self, past: PastT, actions: Tensor) -> Rollout:
        return self._dynamics.rollout(past, actions, self._objective.last_latents)

    def _terms(self, past: PastT, goal: Goal, actions: Tensor, rollout: Rollout) -> dict[str, Tensor]:
        """{name: [S]} of every term of the objective."""
        if rollout.latents.shape[2:] != goal.latent.shape:
            raise BadImage(
                "goal image",
                expected=f"a latent of size {list(rollout.latents.shape[2:])}, as the model predicts",
                got=list(goal.latent.shape),
                remedy="Encode the goal with the model that plans.",
            )
        model = self._dynamics
        candidates = Candidates(
            actions,
            model.recent_actions(past).to(actions),
            rollout,
            partial(model.decode, past, rollout),
            goal,
            self._space,
            partial(model.uncertainty, past, rollout) if isinstance(model, UncertainDynamics) else no_uncertainty,
            partial(model.goal_surprise, past, rollout, goal) if isinstance(model, TokenDynamics) else no_tokens,
        )
        return self._objective.terms(candidates)

    def _require_near_limits(self, actions: Tensor) -> None:
        space = self._space
        slack = (space.upper - space.lower).clamp(min=_LEAST_SLACK)
        far = ((actions < space.lower - slack) | (actions > space.upper + slack)).nonzero()
        if len(far):
            candidate, frame, joint = far[0].tolist()
            raise BadActions(
                "candidate actions",
                expected=f"{space.names[joint]} about {space.lower[joint]:.4g} to {space.upper[joint]:.4g}",
                got=f"{actions[candidate, frame, joint]:.4g} at [candidate, frame] [{candidate}, {frame}]",
                remedy="Check the units and the order of the joints.",
            )

    def checked(self, candidates: NDArray[np.float32] | Tensor, what: str = "candidate actions") -> Tensor:
        """Candidates [S, F, A] as float32 of the whole horizon, on the device of the joint space.

        Args:
            candidates: [S, F, A] in joint units; F shorter than the horizon holds the last action.
            what: names the candidates in an error.

        Raises:
            BadActions: wrong shape, no candidate, or a value that is not finite.
        """
        actions = torch.as_tensor(candidates, dtype=torch.float32)
        horizon, joints = self._dynamics.horizon_frames, self._dynamics.num_joints
        fits = (
            actions.ndim == 3 and len(actions) > 0 and 1 <= actions.shape[1] <= horizon and actions.shape[2] == joints
        )
        if not fits:
            raise BadActions(
                what,
                expected=f"[S >= 1, 1 <= F <= {horizon}, A = {joints}] (candidates, frames, joints)",
                got=list(actions.shape),
                remedy="Send a row of joint values per future frame, for the joints of the action manifest.",
            )
        usable = actions.abs() <= LARGEST_VALUE  # NaN is not
        if not usable.all():
            first = (~usable).nonzero()[0].tolist()
            raise BadActions(
                what,
                expected=f"finite values of at most {LARGEST_VALUE:g}",
                got=f"a NaN, infinity or larger value at [candidate, frame, joint] {first}",
                remedy="Remove this candidate.",
            )
        return hold_last(actions.to(self._space.lower.device), horizon)


def synchronise(tensor: Tensor) -> None:
    """Wait until the GPU has computed `tensor`, so that a clock read next includes the computation."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
