"""A world model that answers questions about the newest context: costs of candidates, pictures of futures."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hwm_core.config import Config
from hwm_core.errors import BadActions, BadInput
from hwm_core.live.context import ContextWindow
from hwm_core.planning.costs import Objective
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.scoring import ScoreEngine, Scores, wait_for
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import Past, WorldModel

Image = NDArray[np.uint8]  # [H, W, 3] RGB, preprocessed


class NoGoal(BadInput):
    """Candidates came before a goal image."""


class LiveConfig(Config):
    """How a live model answers."""

    max_velocity: float = Field(
        default=3.0, gt=0, description="speed limit of every joint in rad/s (or m/s), for the cost term velocity_limits"
    )
    max_candidates: int = Field(
        default=512, ge=1, le=65536, description="largest number of candidates of one request; memory grows with it"
    )
    scoring: Sampling = Field(default=Sampling(), description="decoding of candidates")
    showing: Sampling = Field(default=Sampling(), description="decoding of the pictures shown")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of what is drawn; all candidates share it")


@dataclass(frozen=True)
class Answer:
    """Scores, and what they were made from."""

    stamp_ns: int  # acquisition time of the newest frame used
    scores: Scores
    encode_seconds: float  # 0 when the past had been encoded for an earlier question


class LiveModel:
    """Not thread-safe: one thread owns it. The past of a window is encoded once, whatever is asked about it."""

    def __init__(
        self,
        world_model: WorldModel,
        config: LiveConfig,
        objective: Objective,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.world_model, self.config, self._clock = world_model, config, clock
        self._dynamics = WorldModelDynamics(world_model, sampling=config.scoring, seed=config.seed)
        self._space = JointSpace.from_manifest(
            world_model.manifest, world_model.frame_rate_hz, config.max_velocity, world_model.device
        )
        self._goal: Goal | None = None
        self._observed: tuple[ContextWindow, Past] | None = None
        self.set_objective(objective)

    def set_objective(self, objective: Objective) -> None:
        """Use other cost terms or weights from the next question on; the encoded past stays."""
        self._engine = ScoreEngine(self._dynamics, objective, self._space, self._clock)

    def set_goal(self, image: Image | None) -> None:
        """Set (or forget) the goal of the following candidates."""
        self._goal = None if image is None else self._dynamics.goal(image)

    def warm_up(self) -> None:
        """Answer one made-up question of each kind, so that the first true one is not the slow one."""
        model = self.world_model
        size = (model.preprocessing.height, model.preprocessing.width, 3)
        window = ContextWindow(
            np.zeros((model.past_frames, *size), np.uint8),
            np.tile(np.asarray(model.manifest.mean, np.float32), (model.past_frames, 1)),
            np.arange(model.past_frames, dtype=np.int64),
        )
        still = self.hold(window.actions[-1])[None]
        self.score(window, still, goal=window.frames[-1])
        self.predict(window, still)
        self._observed = None

    def score(self, window: ContextWindow, candidates: NDArray[np.float32], goal: Image | None = None) -> Answer:
        """Costs of candidates [S, F, A] in manifest order, towards `goal` or the goal set.

        Raises:
            NoGoal: neither is there.
            BadActions: wrong size, too many, or not finite.
        """
        aim = self._goal if goal is None else self._dynamics.goal(goal)
        if aim is None:
            raise NoGoal(
                "Goal",
                expected="a goal image",
                got="none",
                remedy="Call ~/set_goal, or send a goal with the candidates.",
            )
        self._check_number(candidates)
        began = self._clock()
        past, is_new = self._observe(window)
        wait_for(past.latents)
        encode_seconds = self._clock() - began if is_new else 0.0
        return Answer(window.stamp_ns, self._engine.score(past, aim, candidates), encode_seconds)

    def predict(self, window: ContextWindow, actions: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Frames uint8 [S, F, H, W, 3] that actions [S, F, A] in manifest order lead to. Raises BadActions."""
        self._check_number(actions)
        past, _ = self._observe(window)
        rollout = self.world_model.rollout(past, actions, sampling=self.config.showing, seed=self.config.seed)
        return self.world_model.frames(past, rollout)[:, : actions.shape[1]]

    def hold(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """One action [A] held over the model's future, [F, A]."""
        return np.tile(action, (self.world_model.future_frames, 1))

    def rest_of(self, plan: NDArray[np.float32], made_ns: int, now_ns: int) -> NDArray[np.float32] | None:
        """What is left at one frame of a plan [F, A] made at an earlier one, its last action held; None when over."""
        elapsed = round((now_ns - made_ns) * 1e-9 * self.world_model.frame_rate_hz)
        if not 0 <= elapsed < len(plan):
            return None
        return np.concatenate([plan[elapsed:], np.repeat(plan[-1:], elapsed, axis=0)])

    def _observe(self, window: ContextWindow) -> tuple[Past, bool]:
        if self._observed is not None and window.same_as(self._observed[0]):
            return self._observed[1], False
        past = self.world_model.observe(window.frames, window.actions)
        self._observed = (window, past)
        return past, True

    def _check_number(self, candidates: NDArray[np.float32]) -> None:
        if len(candidates) > self.config.max_candidates:
            raise BadActions(
                "candidates",
                expected=f"at most {self.config.max_candidates}",
                got=len(candidates),
                remedy="Send fewer at a time, or raise the parameter `live.max_candidates`.",
            )
