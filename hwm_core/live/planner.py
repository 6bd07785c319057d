"""Searches for plans beside a live model: one context, the limits of the robot, a deadline."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.errors import BadInput
from hwm_core.live.context import ContextWindow
from hwm_core.live.goals import Aim, GoalChoice
from hwm_core.live.model import LiveModel
from hwm_core.live.robots import motions_of
from hwm_core.planning.plan import Plan
from hwm_core.planning.proposals.arm import Arm
from hwm_core.planning.proposals.base import Proposer
from hwm_core.planning.scoring import synchronise
from hwm_core.planning.search import Search
from hwm_core.planning.search_config import SearchConfig
from hwm_core.world_model.past import Past

_KEPT = 4  # searches


class DeadlineTooShort(BadInput):
    """The deadline passed before the first batch of candidates was scored."""


@dataclass(frozen=True)
class Followed:
    """The plan that the robot follows while a new one is searched for."""

    actions: NDArray[np.float32]  # [F, A] in manifest order
    stamp_ns: int  # of the frame that it starts from


@dataclass(frozen=True)
class PlanRequest:
    """What to plan."""

    joints: tuple[str, ...] = ()  # that move, the others hold; empty: those of the settings
    goal: GoalChoice = field(default_factory=GoalChoice)
    followed: Followed | None = None
    seconds: float | None = None  # until the plan is needed; None: no deadline
    seed: int = 0  # of the random numbers


@dataclass(frozen=True)
class LivePlan:
    """A plan, and what it took."""

    stamp_ns: int  # acquisition time of the frame that the plan starts from
    actions: NDArray[np.float32]  # [F, A] in manifest order and units, within the limits
    plan: Plan
    encode_seconds: float  # of the past and of the start of the goal; about 0 if they were encoded before
    search_seconds: float


class LivePlanner:
    """Plans from the newest context. Only the thread of its model may use it.

    The plans towards one lasting goal share one search: with the same seed, the same requests in the same order give
    the same plans. Another goal, seed, objective or choice of joints begins a new search. The newest searches are kept,
    so planners that take turns do not disturb each other.

    Args:
        live: the model; its clock also measures deadlines.
        config: settings of the search.
        arm: of the robot, whose hand the search moves; None: that of the simulated humanoid, or no arm.
        proposers: of candidates beside the search's own.

    Raises:
        RobotMismatch: planned joints, or joints of the arm, that the model does not have.
    """

    def __init__(
        self,
        live: LiveModel,
        config: SearchConfig,
        arm: Arm | None = None,
        proposers: Sequence[Proposer[Past]] = (),
    ) -> None:
        live.space.index(config.joints)
        if arm is not None:
            live.space.index(arm.kinematics.joints)
        self._live, self._config, self._arm, self._proposers = live, config, arm, tuple(proposers)
        self._kept: deque[tuple[object, Search[Past]]] = deque(maxlen=_KEPT)

    def warm_up(self) -> None:
        """Search through one batch on synthetic input, so that the first real plan is not slow.

        Raises the errors of `plan`: settings that cannot work are reported before the first plan.
        """
        live, window = self._live, self._live.blank_window()
        request = PlanRequest(goal=GoalChoice(window.frames[-1]))
        aim = live.aim(window, request.goal)
        self._search(aim, request).plan(live.observe(window), aim.goal, deadline=lambda: True)
        live.forget_past()

    def plan(self, window: ContextWindow, request: PlanRequest) -> LivePlan:
        """Search from the end of a window.

        With a deadline, the search ends while another batch of candidates, as long as the longest, would end too late.

        Raises:
            NoGoal: no goal was sent or set.
            GoalChanged: another goal was set than the request means.
            DeadlineTooShort: not even the first batch was ready in time.
            RobotMismatch: a planned joint that the model does not have.
            BadActions: a followed plan of the wrong size; and the errors of `Search.plan`.
        """
        live, clock = self._live, self._live.clock
        begun = clock()
        past = live.observe(window)
        aim = live.aim(window, request.goal)
        synchronise(past.latents)
        encoded = clock()
        followed = request.followed
        rest = None if followed is None else live.rest_of(followed.actions, followed.stamp_ns, window.stamp_ns)
        deadline = None if request.seconds is None else _Deadline(begun, request.seconds, past, clock)
        warm_start = None if rest is None else torch.from_numpy(rest)
        found = self._search(aim, request).plan(past, aim.goal, warm_start=warm_start, deadline=deadline)
        actions = found.actions.detach().cpu().numpy()
        return LivePlan(window.stamp_ns, actions, found, encoded - begun, clock() - encoded)

    def _search(self, aim: Aim, request: PlanRequest) -> Search[Past]:
        live, joints = self._live, request.joints or self._config.joints or self._live.space.names
        key = (aim, joints, request.seed, live.objective)
        for kept, search in self._kept:
            if kept == key:
                return search
        search = Search(
            live.dynamics,
            live.objective,
            live.space,
            self._config.model_copy(update={"joints": joints}),
            motions_of(live.world_model, joints, aim.action, live.space, self._arm),
            self._proposers,
            seed=request.seed,
        )
        if request.goal.lasts:
            self._kept.append((key, search))
        return search


class _Deadline:
    """Asked after every batch: True when another batch would end too late."""

    def __init__(self, begun: float, seconds: float, past: Past, clock: Callable[[], float]) -> None:
        self._begun, self._seconds, self._past, self._clock = begun, seconds, past, clock
        self._last, self._longest = begun, 0.0
        self._batches = 0

    def __call__(self) -> bool:
        synchronise(self._past.latents)
        now = self._clock()
        self._batches += 1
        elapsed = now - self._begun
        if self._batches == 1 and elapsed > self._seconds:
            raise DeadlineTooShort(
                "Deadline of a plan",
                expected=f"more than {elapsed:.3f} s, in which the first batch of candidates was scored",
                got=f"{self._seconds:.3f} s",
                remedy="Allow more time, or lower `search.proposals`.",
            )
        self._longest = max(self._longest, now - self._last)
        self._last = now
        return elapsed + self._longest > self._seconds
