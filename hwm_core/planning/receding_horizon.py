"""Receding-horizon planning with costs from another process: plan, execute the first frames, plan again.

`Search` is the planner beside a model. This one needs a function of costs only, and searches one spline.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.config import Config
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.noise import coloured_noise
from hwm_core.planning.solvers.base import KeepGoing
from hwm_core.planning.solvers.icem import ICEM, ICEMConfig
from hwm_core.planning.spline import knot_frames, spline_basis

Scorer = Callable[[Tensor], Tensor]  # candidates [S, F, A] in joint units -> costs [S]; here, or in another process


class PlannerConfig(Config):
    """Settings of the planner."""

    horizon_frames: int = Field(default=24, ge=1, description="length of a plan, in frames at the model's rate")
    joints: tuple[str, ...] = Field(default=(), description="joints that are planned, the others hold; empty: all")
    knots: int = Field(default=1, ge=1, description="spline knots over the horizon; as many as frames: no spline")
    spread: float = Field(default=0.8, gt=0.0, description="first standard deviation of a knot, in joint scales")
    cem: ICEMConfig = ICEMConfig(decay=1.0)


@dataclass(frozen=True)
class Plan:
    """Actions to execute from the next frame on."""

    actions: Tensor  # [F, A] in joint units
    cost: float


class RecedingHorizonPlanner:
    """Searches spline knots with CEM. Its state is the last plan and a random generator.

    Args:
        config: settings of the planner.
        space: limits and scales of the joints; its device holds the plans.
        seed: seed of the search.
    """

    def __init__(self, config: PlannerConfig, space: JointSpace, seed: int) -> None:
        device = space.lower.device
        joints = space.index(config.joints) if config.joints else torch.arange(len(space.names), device=device)
        self._config, self._joints = config, joints
        # The follower keeps the acceleration limit: here the speed at the start of a plan is unknown.
        self._space = replace(space, max_acceleration=space.max_velocity * space.frame_rate_hz * 2)
        self._generator = torch.Generator(device).manual_seed(seed)
        self._basis = spline_basis(config.knots, config.horizon_frames).to(device)
        self._knot_frames = knot_frames(config.knots, config.horizon_frames)
        self._spread = (config.spread * space.scale[joints]).expand(config.knots, -1)
        self._last: Tensor | None = None  # [F, A] the newest plan

    def plan(
        self,
        score: Scorer,
        newest: Tensor,
        elapsed_frames: int | None,
        keep_going: KeepGoing | None = None,
    ) -> Plan:
        """Search for the best actions of the coming frames.

        Args:
            score: costs of candidates [S, F, A].
            newest: [A] the action before the first planned one.
            elapsed_frames: frames since the last plan was made; the search starts from the rest of that plan. None: the
                last plan is not followed, and the search starts from standing still.
            keep_going: called after every iteration; False ends the search with the best plan so far.
        """
        optimum = ICEM(self._config.cem).minimise(
            lambda knots: score(self._trajectories(knots, newest)),
            self._warm_start(newest, elapsed_frames),
            self._spread,
            self._generator,
            keep_going,
        )
        self._last = self._trajectories(optimum.best[None], newest)[0]
        return Plan(self._last, float(optimum.cost))

    def propose(self, newest: Tensor) -> Tensor:
        """First candidates [S, F, A] of a search that starts from standing still at `newest` [A]."""
        noise = coloured_noise(
            (self._config.cem.candidates, *self._spread.shape), self._config.cem.noise_exponent, self._generator
        )
        return self._trajectories(self._spread * noise, newest)

    def _warm_start(self, newest: Tensor, elapsed_frames: int | None) -> Tensor:
        """Knots [K, D] of the rest of the last plan, its last action held; without a last plan, of standing still."""
        if self._last is None or elapsed_frames is None:
            return torch.zeros_like(self._spread)
        frames = [min(frame + elapsed_frames, len(self._last) - 1) for frame in self._knot_frames]
        return (self._last[frames] - newest)[:, self._joints]

    def _trajectories(self, knots: Tensor, newest: Tensor) -> Tensor:
        """Knots [S, K, D] (offsets from the newest action) -> actions [S, F, A] within speed and joint limits."""
        actions = newest.repeat(len(knots), self._config.horizon_frames, 1)
        actions[..., self._joints] += self._basis @ knots
        return self._space.follow(actions, newest.expand(2, -1))
