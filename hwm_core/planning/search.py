"""Search for actions beside the model: propose, refine, polish. Everything stays on the device until the plan is done.

search = Search(dynamics, objective, space, config, primitives=primitives)
plan = search.plan(past, goal, warm_start=last_plan)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from hwm_core.errors import BadActions
from hwm_core.planning.candidate_pool import CandidatePool
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Dynamics, Goal
from hwm_core.planning.halving import Halving
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.plan import Plan
from hwm_core.planning.proposals.base import Primitive, Proposer
from hwm_core.planning.proposals.moves import Span, through
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.planning.search_config import SearchConfig
from hwm_core.planning.search_trace import SearchTrace
from hwm_core.planning.solvers.table import make_solver
from hwm_core.planning.spline import spline_basis

PastT = TypeVar("PastT")

_SHORTCUTS, _SHORTCUT_SPANS = 3, (Span(0.0, 0.35), Span(0.0, 0.6))
_SMALLEST = 0.2  # variation, as a share of the widest one
_SENSOR = 0.02  # joint units; the range of a joint that hardly moved in the training data says nothing
_BEYOND = 0.1  # share of a joint's range by which the robot may start outside it: sensors read a little beyond the ends


class Now(NamedTuple):
    """The motion at the first action that a plan chooses, G actions before the end of the horizon."""

    recent: Tensor  # [2, A] the two actions before
    stop: Tensor  # [G, A] the motion that stops it


class Search(Generic[PastT]):
    """Finds the actions whose predicted future is nearest to a goal.

    A search has three stages. First it scores holding still, the rest of the last plan, the proposals, and random
    motions of the primitives. Then it varies the best motions of each primitive, and tries to move straight to the ends
    of the best motions: only the end of a motion is compared with the goal, and a detour may end well. At last a solver
    bends the best motion by splines of the planned joints. A deadline ends it early, with the best so far.

    Args:
        dynamics: predicts the futures of candidates.
        objective: the costs and their weights.
        space: limits and scales of all joints; its device holds the candidates.
        config: settings.
        primitives: kinds of motions that the search draws and varies.
        proposers: further sources of candidates.
        seed: of the random numbers; the same calls give the same plans.

    Raises:
        RobotMismatch: a planned joint that the model does not have.
        BadConfig: halving with dynamics that have no cheaper predictions.
    """

    def __init__(
        self,
        dynamics: Dynamics[PastT],
        objective: Objective,
        space: JointSpace,
        config: SearchConfig,
        primitives: Sequence[Primitive] = (),
        proposers: Sequence[Proposer[PastT]] = (),
        seed: int = 0,
    ) -> None:
        self._dynamics, self._space, self._config = dynamics, space, config
        self._engine = ScoreEngine(dynamics, objective, space)
        self._halving = Halving(dynamics, objective, space, config.halving, config.kept)
        self._primitives, self._proposers = tuple(primitives), tuple(proposers)
        device = space.lower.device
        self._planned = space.index(config.joints or space.names)
        self._spread = (config.spread * space.scale[self._planned]).expand(config.knots, -1)
        self._solver = make_solver(config.solver, config.solvers)
        self._generator = torch.Generator(device).manual_seed(seed)

    def plan(
        self,
        past: PastT,
        goal: Goal,
        *,
        warm_start: Tensor | None = None,
        deadline: Callable[[], bool] | None = None,
        committed: Tensor | None = None,
        share: float = 1.0,
        trace: SearchTrace | None = None,
    ) -> Plan:
        """The best actions of the coming frames.

        Args:
            past: the starting point of all candidates.
            goal: the goal image, encoded by the dynamics.
            warm_start: [G, A] the rest of the last plan, from the first action on that this plan chooses, G at most the
                horizon; its last action is held. None: no plan is being followed.
            deadline: called after each batch of candidates; True ends the search. The first batch is always scored.
            committed: [C, A] what the robot will do until the plan can begin, C below the horizon. All candidates start
                with these actions. None: the plan begins with the next action.
            share: of the candidates of every batch, for a machine that is too slow for all; 0 to 1.
            trace: gets the cost terms of each batch; None: nobody looks.

        Raises:
            BadActions: the newest actions are not finite or far outside the joint limits; or a warm start, a committed
                action or a proposal of the wrong size, or not finite.
            BadGoal: a goal of another size than the model's latents.
            FloatingPointError: the model predicted no finite cost.
        """
        recent = self._dynamics.recent_actions(past).to(self._space.lower)
        self._check_start(recent)
        prefix = self._prefix(committed, recent)
        recent = torch.cat([recent, prefix])[-2:]
        now = Now(recent, self._space.stop(recent, self._dynamics.horizon_frames - len(prefix)))

        def whole(chosen: Tensor) -> Tensor:
            return torch.cat([prefix.expand(*chosen.shape[:-2], -1, -1), chosen], dim=-2)

        def costs(chosen: Tensor, first: int) -> Tensor:
            return self._halving.costs(past, goal, whole(chosen), first, trace)

        pool = CandidatePool(costs, deadline, trace)
        self._propose(pool, past, goal, now, warm_start, share)
        for round_ in range(self._config.refinements if self._primitives else 0):
            if pool.open():
                self._refine(pool, now, self._config.narrowing**round_, share)
        if pool.open():
            self._cut_short(pool, now)
        iterations = self._polish(pool, now) if pool.open() and self._config.polish else 0
        plan = pool.plan(self._config.margin, self._config.least_gain, iterations)
        return replace(plan, actions=whole(plan.actions))

    # ---------------------------------------------------------------- stages

    def _propose(
        self, pool: CandidatePool, past: PastT, goal: Goal, now: Now, warm_start: Tensor | None, share: float
    ) -> None:
        """The first batch: holding still, the warm start, proposals, and random motions of every primitive."""
        pool.add("hold", now.stop[None])
        if warm_start is not None:
            pool.add("warm start", self._feasible(warm_start[None], now, "warm start"))
        count = round(share * self._config.proposals)
        for proposer in self._proposers:  # together they get as many candidates as the primitives
            each = max(count // len(self._proposers), int(count > 0))
            motions = proposer(past, goal, now.recent, self._space, self._generator, each)
            if len(motions):
                pool.add(proposer.name, self._feasible(motions, now, f"proposals of `{proposer.name}`"))
        self._draw(pool, now, count)
        pool.score()
        for _ in range(self._config.first_batches - 1 if warm_start is None and self._primitives else 0):
            if pool.open():
                self._draw(pool, now, count)
                pool.score()

    def _draw(self, pool: CandidatePool, now: Now, count: int) -> None:
        """Add random motions of every primitive."""
        for primitive, part in self._parts(count):
            self._add(pool, primitive, primitive.sample(part, self._generator), now)

    def _refine(self, pool: CandidatePool, now: Now, width: float, share: float) -> None:
        """Vary the best motions of every primitive, and its motions to where the best motions of all end."""
        for primitive, count in self._parts(round(share * self._config.variations)):
            best = pool.best_numbers(primitive.name, self._config.parents)
            ends = primitive.ending_at(pool.best(self._config.parents)[:, -1], now.stop)
            parents = best if ends is None else torch.stack([best, ends[: len(best)]], dim=1).flatten(0, 1)
            parents = parents.repeat(-(-count // len(parents)), 1)[:count]
            # Of many sizes: a wide step leaves a valley, a small one finds its bottom
            sizes = _SMALLEST ** torch.rand(len(parents), 1, generator=self._generator, device=parents.device)
            self._add(pool, primitive, primitive.vary(parents, width * sizes, self._generator), now)
        pool.score()

    def _cut_short(self, pool: CandidatePool, now: Now) -> None:
        """Move straight to the ends of the best motions."""
        ends = pool.best(_SHORTCUTS)[:, -1, self._planned]
        for span in _SHORTCUT_SPANS:
            motions = through([ends], [span], self._planned, now.stop)
            pool.add("shortcut", self._within(motions, now))
        pool.score()

    def _polish(self, pool: CandidatePool, now: Now) -> int:
        """Bend the best motion by splines of the planned joints; the iterations that were run."""
        base = pool.best(1)[0]
        spread = self._spread[: len(base)]  # at most one knot a frame
        basis, zero = spline_basis(len(spread), len(base)).to(base), torch.zeros_like(spread)

        def cost(knots: Tensor) -> Tensor:
            motions = base.expand(len(knots), -1, -1).clone()
            motions[..., self._planned] += basis @ knots
            pool.add("polished", self._within(motions, now))
            return pool.score()

        return self._solver.minimise(cost, zero, spread, self._generator, pool.keep_going).iterations

    # ---------------------------------------------------------------- candidates

    def _parts(self, count: int) -> list[tuple[Primitive, int]]:
        """Each primitive with its number of candidates, at least 1 of about `count`."""
        total = sum(primitive.weight for primitive in self._primitives)
        return [(primitive, max(1, round(count * primitive.weight / total))) for primitive in self._primitives]

    def _add(self, pool: CandidatePool, primitive: Primitive, numbers: Tensor, now: Now) -> None:
        motions = primitive.motions(numbers, now.stop)
        pool.add(primitive.name, self._within(motions, now), numbers)

    def _feasible(self, motions: Tensor, now: Now, what: str) -> Tensor:
        """Motions from outside that begin where the plan does, checked, of its length and within the limits."""
        return self._within(self._engine.checked(motions, what)[:, : len(now.stop)], now)

    def _prefix(self, committed: Tensor | None, recent: Tensor) -> Tensor:
        """The committed actions [C, A], checked; C is 0 without any."""
        if committed is None or len(committed) == 0:
            return recent[:0]
        horizon = self._dynamics.horizon_frames
        if len(committed) >= horizon:
            raise BadActions(
                "committed actions",
                expected=f"fewer than the {horizon} frames of the horizon",
                got=len(committed),
                remedy="Plan faster: a shorter deadline, fewer candidates, or a faster device.",
            )
        return self._engine.checked(committed[None], "committed actions")[0, : len(committed)]

    def _within(self, motions: Tensor, now: Now) -> Tensor:
        """Motions [S, F, A] within the limits, whose joints that are not planned stop."""
        planned = now.stop.expand(len(motions), -1, -1).clone()
        planned[..., self._planned] = motions[..., self._planned]
        return self._space.project(planned, now.recent, now.stop)

    def _check_start(self, recent: Tensor) -> None:
        newest, slack = recent[-1], (_BEYOND * (self._space.upper - self._space.lower)).clamp(min=_SENSOR)
        usable = (newest >= self._space.lower - slack) & (newest <= self._space.upper + slack)  # False for NaN
        usable &= recent.isfinite().all(dim=0)
        if not bool(usable.all()):
            names = [name for name, good in zip(self._space.names, usable.tolist(), strict=True) if not good]
            raise BadActions(
                "the start of a plan",
                expected="finite joint values within the joint limits",
                got=f"{', '.join(names)} outside",
                remedy="Move the robot into its joint limits, or correct the limits.",
            )
