"""The motions that an episode may have: what the whole robot does."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import MotionMix
from hwm_core.sim.planner_motion import PlannerMotion

Motion = Literal["random", "skills", "planner"]


class CommandSource(Protocol):
    """What drives the robot."""

    def next_command(self) -> NDArray[np.float64]:
        """The command [A] for this tick."""
        ...


_RANDOM_MIX: Mapping[str, float] = {"object": 0.45, "workspace": 0.30, "nearby": 0.15, "hold": 0.10}
_SKILL_MIX: Mapping[str, float] = {
    "push": 0.30,
    "sweep": 0.16,
    "object": 0.06,
    "workspace": 0.14,
    "pick": 0.06,
    "joints": 0.10,
    "correct": 0.08,
    "retreat": 0.05,
    "hold": 0.05,
}


def has_fixed_neck(seed: int) -> bool:
    """Whether the episode of this seed with random motion holds the neck still: the even seeds do."""
    return seed % 2 == 0


def random_motion(robot: SimHumanoid, seed: int) -> MotionMix:
    """Random motion of both arms, to objects and points above the table; in half of the episodes also of the neck."""
    return MotionMix(robot, seed, has_fixed_neck(seed), _RANDOM_MIX)


def skill_motion(robot: SimHumanoid, seed: int) -> MotionMix:
    """Purposeful motion: pushes, sweeps, picks, small corrections.

    Half of the episodes move one arm alone, mostly the right one; two of three hold the neck still.
    """
    neck, arms = np.random.default_rng([seed, 101]).uniform(size=2)
    still = ("left",) if arms < 0.4 else ("right",) if arms < 0.5 else ()
    return MotionMix(robot, seed, bool(neck < 0.65), _SKILL_MIX, still)


MOTIONS: Mapping[Motion, Callable[[SimHumanoid, int], CommandSource]] = {
    "random": random_motion,
    "skills": skill_motion,
    "planner": PlannerMotion,
}
"""{name: the motion of an episode, from the robot at its start and the seed}."""
