"""Candidate actions in, costs out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadActions
from hwm_core.planning.costs import Candidates, Objective
from hwm_core.planning.dynamics import Dynamics, Goal
from hwm_core.planning.joint_space import JointSpace

PastT = TypeVar("PastT")


@dataclass(frozen=True)
class Scores:
    """The costs of S candidates; lower is better."""

    costs: NDArray[np.float32]  # [S]
    terms: Mapping[str, NDArray[np.float32]]  # {name: [S]}, weighted: they sum to the costs
    best: int  # index of the lowest cost
    seconds: Mapping[str, float]  # {"rollout", "cost"}: where the time went


class ScoreEngine(Generic[PastT]):
    """Scores candidates from one past towards one goal, all in one batch."""

    def __init__(
        self,
        dynamics: Dynamics[PastT],
        objective: Objective,
        space: JointSpace,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._dynamics, self._objective, self._space, self._clock = dynamics, objective, space, clock

    @torch.inference_mode()
    def score(self, past: PastT, goal: Goal, candidates: NDArray[np.float32] | Tensor) -> Scores:
        """Costs of candidates [S, F, A] in joint units. Fewer frames than the horizon: the last action is held.

        Raises:
            BadActions: wrong number of axes, frames or joints, no candidate, or a value that is not finite.
            FloatingPointError: the model predicted something that is not finite.
        """
        actions = self._checked(candidates)
        began = self._clock()
        prediction = self._dynamics.rollout(past, actions)
        wait_for(prediction.latents)
        predicted = self._clock()
        terms = self._objective.terms(
            Candidates(actions, self._dynamics.recent_actions(past).to(actions), prediction, goal, self._space)
        )
        weighed = {name: values.float().cpu().numpy() for name, values in terms.items()}
        costs = sum(weighed.values(), start=np.zeros(len(actions), np.float32))
        if not np.isfinite(costs).all():
            broken = [name for name, values in weighed.items() if not np.isfinite(values).all()]
            raise FloatingPointError(f"the predicted futures give costs that are not finite: {', '.join(broken)}")
        seconds = {"rollout": predicted - began, "cost": self._clock() - predicted}
        return Scores(costs, weighed, int(costs.argmin()), seconds)

    def _checked(self, candidates: NDArray[np.float32] | Tensor) -> Tensor:
        """[S, horizon, A] on the device of the joint space."""
        actions = torch.as_tensor(candidates, dtype=torch.float32, device=self._space.lower.device)
        horizon, joints = self._dynamics.horizon_frames, self._dynamics.num_joints
        fits = (
            actions.ndim == 3 and len(actions) > 0 and 1 <= actions.shape[1] <= horizon and actions.shape[2] == joints
        )
        if not fits:
            raise BadActions(
                "candidate actions",
                expected=f"[S >= 1, 1 <= F <= {horizon}, A = {joints}] (candidates, frames, joints)",
                got=list(actions.shape),
                remedy="Send a row of joint values per future frame, for the joints of the action manifest.",
            )
        if not torch.isfinite(actions).all():
            first = (~torch.isfinite(actions)).nonzero()[0].tolist()
            raise BadActions(
                "candidate actions",
                expected="finite values",
                got=f"a NaN or infinity at [candidate, frame, joint] {first}",
                remedy="Drop that candidate.",
            )
        held = actions[:, -1:].expand(-1, horizon - actions.shape[1], -1)
        return torch.cat([actions, held], dim=1)


def wait_for(tensor: Tensor) -> None:
    """Wait for the device, so that the next reading of the clock is true."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
