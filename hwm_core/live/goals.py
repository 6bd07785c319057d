"""The goals of a live model: the one that is set for all, and those that travel with the requests of a planner."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadInput
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goal_check import GoalCheck
from hwm_core.planning.dynamics import Goal
from hwm_core.world_model.dynamics import WorldModelDynamics

Image = NDArray[np.uint8]  # [H, W, 3] RGB, preprocessed

_KEPT = 8  # goals of planners that are kept; more than work beside one model


class NoGoal(BadInput):
    """No goal image was set or sent with the request."""


class GoalChanged(BadInput):
    """Another goal image was set than the one that the request means, or the model was restarted."""


@dataclass(frozen=True)
class GoalChoice:
    """Which goal a request means.

    Without an image, the goal that was set; then `version` is the one that must still be set, 0 for any. With an image
    and a version, the requests of one sender and version are one task: they share the scene at its first request. With
    an image alone, the goal is for one request.
    """

    image: Image | None = None
    version: int = 0
    sender: str = ""

    @property
    def lasts(self) -> bool:
        """Whether other requests share this goal."""
        return self.image is None or self.version != 0


@dataclass(frozen=True, eq=False)
class Aim:
    """A goal, and where the robot was when it was first used: what differs between the two images counts."""

    goal: Goal
    action: NDArray[np.float32] = field(repr=False)  # [A] newest action at the start, in manifest order and units


class Goals:
    """Encodes goals, and keeps them with the scenes at their starts. Only the thread of the model may use it.

    Args:
        dynamics: encodes.
        tolerance_db: of `GoalCheck`; 0: every image can be a goal.
    """

    def __init__(self, dynamics: WorldModelDynamics, tolerance_db: float = 0.0) -> None:
        self._dynamics, self._check = dynamics, GoalCheck(dynamics.world_model, tolerance_db)
        self._image: Image | None = None
        self._aims: OrderedDict[tuple[str, int, bytes], Aim] = OrderedDict()
        self._aim: Aim | None = None  # towards `_image`; exists from its first use on
        # Starts at a random number, so that a client notices a restart of the model.
        self.version = secrets.randbits(40) << 20

    def set(self, image: Image | None) -> int:
        """Set the goal [H, W, 3] of the requests without an image; None removes it. Returns its version."""
        self._image, self._aim, self.version = image, None, self.version + 1
        return self.version

    def forget_starts(self) -> None:
        """The next use of every goal counts as its first: the scene has changed."""
        self._aim = None
        self._aims.clear()

    def aim(self, window: ContextWindow, choice: GoalChoice) -> Aim:
        """A goal, with the scene at its start.

        Args:
            window: the newest context; its end is the start of a goal that was not used before.
            choice: which goal.

        Raises:
            GoalChanged: the goal of `choice.version` is no longer set.
            NoGoal: no goal was set, and none is in the choice.
            BadImage: the image is of another kind than those of the camera.
        """
        if choice.image is not None:
            return self._aim_at(window, choice.image, choice)
        if choice.version not in (0, self.version):
            raise GoalChanged(
                "Goal",
                expected=f"the goal of version {choice.version}",
                got=f"version {self.version}: another goal was set, or the world model was restarted",
                remedy="Set the goal again, or send the goal image with every request.",
            )
        if self._image is None:
            raise NoGoal(
                "Goal",
                expected="a goal image",
                got="none",
                remedy="Call ~/set_goal, or send a goal with the request.",
            )
        if self._aim is None:
            self._aim = self._start(window, self._image)
        return self._aim

    def _aim_at(self, window: ContextWindow, image: Image, choice: GoalChoice) -> Aim:
        key = (choice.sender, choice.version, sha256(image.tobytes()).digest())
        aim = self._aims.pop(key, None) if choice.lasts else None
        aim = self._start(window, image) if aim is None else aim
        if choice.lasts:
            self._aims[key] = aim
            while len(self._aims) > _KEPT:
                self._aims.popitem(last=False)
        return aim

    def _start(self, window: ContextWindow, image: Image) -> Aim:
        self._check.require(image, window.frames[-1])
        return Aim(self._dynamics.goal(image, window.frames[-1]), window.actions[-1])
