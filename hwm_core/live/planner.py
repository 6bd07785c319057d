"""Searches for plans beside a live model: one context, the limits of the robot, a deadline."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadActions, BadInput
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import Aim, GoalChoice
from hwm_core.live.model import LiveModel
from hwm_core.live.robots import motions_of
from hwm_core.live.search_speed import SearchSpeed
from hwm_core.planning.plan import Plan
from hwm_core.planning.proposals.arm import Arm
from hwm_core.planning.proposals.base import Proposer
from hwm_core.planning.scoring import synchronise
from hwm_core.planning.search import Search
from hwm_core.planning.search_config import SearchConfig
from hwm_core.planning.search_trace import SearchTrace
from hwm_core.world_model.past import Past

_KEPT = 4  # searches
_WARM_UP_FUTURES = 16


class DeadlineTooShort(BadInput):
    """The deadline passed before the first batch of candidates was scored."""


class PlanTooLate(BadInput):
    """The plan could begin only at the end of its horizon."""


@dataclass(frozen=True)
class Followed:
    """What the robot does without a new plan. Raises BadActions for values that are not finite."""

    actions: NDArray[np.float32]  # [F, A] in manifest order
    stamp_ns: int  # of the frame that it starts from

    def __post_init__(self) -> None:
        if not np.isfinite(self.actions).all():  # also where the plan is over, so that nothing would read them
            raise BadActions(
                "the plan that is followed",
                expected="finite values",
                got="a NaN or an infinity",
                remedy="Send what the robot does next as `followed`, or nothing.",
            )


@dataclass(frozen=True)
class PlanRequest:
    """What to plan."""

    joints: tuple[str, ...] = ()  # that move, the others hold; empty: those of the settings
    goal: GoalChoice = field(default_factory=GoalChoice)
    followed: Followed | None = None
    begin_ns: int = 0  # the frame after which the plan may act; until then the robot does what it follows
    seconds: float | None = None  # until the plan is needed; None: no deadline
    observed_frames: int = 0  # newest frames of the window whose cost is observed
    seed: int = 0  # of the random numbers
    traced: bool = False  # whether the cost terms of each batch are kept


@dataclass(frozen=True)
class LivePlan:
    """A plan, and what it took."""

    stamp_ns: int  # acquisition time of the frame that the plan starts from
    actions: NDArray[np.float32]  # [F, A] in manifest order and units, within the limits
    committed: int  # actions at the start that are those of the followed plan
    plan: Plan
    observed_cost: float  # the highest of the observed frames; NaN without any
    encode_seconds: float  # of the past, the start of the goal and the observed frames
    search_seconds: float
    trace: SearchTrace | None = None  # where the request asked for it


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
        self._speed = SearchSpeed()

    def warm_up(self) -> None:
        """Search through a small batch on synthetic input, so that the first plan is not slow and keeps its deadline.

        Raises the errors of `plan`: settings that cannot work are reported before the first plan.
        """
        window = self._live.blank_window()
        share = _WARM_UP_FUTURES / max(_WARM_UP_FUTURES, self._config.nominal_futures(first=True))
        for _ in range(2):  # the first one is slower
            self._measured(window, PlanRequest(goal=GoalChoice(window.frames[-1])), share, lambda: True)
        self._live.forget_past()

    def plan(self, window: ContextWindow, request: PlanRequest) -> LivePlan:
        """Search from the end of a window.

        With a deadline, the number of candidates follows from the measured speed of the machine. The search also ends
        when another batch of candidates, as long as the longest, would end too late.

        Raises:
            NoGoal: no goal was sent or set.
            GoalChanged: another goal was set than the request means.
            DeadlineTooShort: not even the first batch was ready in time.
            PlanTooLate: it may begin only after the horizon.
            RobotMismatch: a planned joint that the model does not have.
            BadActions: a followed plan of the wrong size; and the errors of `Search.plan`.
            BadConfig: more observed frames than the window has.
        """
        return self._measured(window, request)

    def _measured(
        self,
        window: ContextWindow,
        request: PlanRequest,
        share: float = 1.0,
        deadline: Callable[[], bool] | None = None,
    ) -> LivePlan:
        live, clock = self._live, self._live.clock
        begun = clock()
        past = live.observe(window)
        aim = live.aim(window, request.goal)
        observed = live.observed_cost(window, aim, request.observed_frames)
        synchronise(past.latents)
        encoded = clock()
        committed, rest = self._until_begin(window, request)
        if request.seconds is not None:
            deadline = _Deadline(begun, request.seconds, past, clock)
            share = self._speed.share(request.seconds, self._config.nominal_futures(first=rest is None))
        trace = SearchTrace() if request.traced else None
        found, futures = None, 2 + round(share * self._config.proposals)  # of the first batch
        try:
            found = self._search(aim, request).plan(
                past, aim.goal, warm_start=rest, deadline=deadline, committed=committed, share=share, trace=trace
            )
            futures = found.futures
        finally:  # also where the deadline was too short: the next search is smaller
            self._speed.measured(encoded - begun, clock() - encoded, futures)
        actions = found.actions.detach().cpu().numpy()
        steps = 0 if committed is None else len(committed)
        seconds = (encoded - begun, clock() - encoded)
        return LivePlan(window.stamp_ns, actions, steps, found, observed, *seconds, trace)

    def _until_begin(self, window: ContextWindow, request: PlanRequest) -> tuple[Tensor | None, Tensor | None]:
        """The actions [C, A] that are committed, and the rest [F - C, A] of what the robot follows; None: none."""
        live, followed = self._live, request.followed
        rate, horizon = live.world_model.frame_rate_hz, live.world_model.future_frames
        steps = max(0, round((request.begin_ns - window.stamp_ns) * 1e-9 * rate)) if request.begin_ns else 0
        if steps >= horizon:
            raise PlanTooLate(
                "Begin of a plan",
                expected=f"less than the horizon, {horizon} frames ({horizon / rate:.2f} s), after the newest frame",
                got=f"{steps} frames ({steps / rate:.2f} s)",
                remedy="Plan faster: a shorter deadline, or a faster device.",
            )
        rest = None if followed is None else live.rest_of(followed.actions, followed.stamp_ns, window.stamp_ns)
        if rest is None:
            if steps:
                raise BadActions(
                    "the plan that is followed",
                    expected=f"actions for the {steps} frames until the new plan begins",
                    got="none",
                    remedy="Send what the robot does next as `followed`, or no `begin`.",
                )
            return None, None
        missing = max(0, horizon - len(rest)) if steps else 0  # what is followed may be shorter than the horizon
        actions = torch.from_numpy(np.concatenate([rest, np.repeat(rest[-1:], missing, axis=0)]))
        if steps and bool((actions == actions[0]).all()):
            return actions[:steps], None  # the robot stands, which is a candidate anyway
        return actions[:steps], actions[steps:]

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
