"""The interface between the closed loop and what decides the actions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.task import Task


@dataclass(frozen=True)
class Situation:
    """What every controller knows at the start of an episode."""

    goal: NDArray[np.uint8]  # [H, W, 3] preprocessed goal image
    space: JointSpace  # limits and scales of all A joints, at the frame rate of the episode
    joints: tuple[str, ...]  # the joints that may move
    frames: int  # length of the episode
    seed: int  # of random numbers


@dataclass(frozen=True)
class Truth:
    """What oracles know beside: the simulator and the target. The robot must be left as it was found."""

    robot: SimHumanoid
    task: Task


@dataclass(frozen=True)
class Decision:
    """Actions for the next frames."""

    actions: NDArray[np.float32]  # [F, A] in joint units; row 0 acts on the next frame; the last row is held
    futures: int = 0  # candidate futures that were predicted for it
    predicted: Callable[[], NDArray[np.uint8]] | None = None  # [H, W, 3] the image expected at the end of the actions


class Controller(Protocol):
    """Decides from what the robot sees, again and again."""

    @property
    def replan_frames(self) -> int:
        """Frames of the newest decision that are executed before the next one."""
        ...

    def decide(self, observation: SimObservation) -> Decision:
        """Actions from the observed context. Controllers that are not oracles use its frames and actions only."""
        ...
