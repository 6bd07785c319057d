"""A world model that works on the newest context: it encodes goals, scores candidates and predicts frames."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from hwm_core.config import Config
from hwm_core.errors import BadActions, BadConfig
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import Aim, GoalChoice, Goals, Image
from hwm_core.live.robots import space_of
from hwm_core.planning.costs.base import Candidates
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.limits import Limits
from hwm_core.planning.scoring import ScoreEngine, Scores, synchronise
from hwm_core.sampling.config import Sampling
from hwm_core.types import Rollout
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past


class UncertaintyConfig(Config):
    """How the uncertainty of scored futures is estimated."""

    enabled: bool = Field(default=False, description="estimate how unsure the model is of each scored candidate")
    samples: int = Field(default=4, ge=2, le=64, description="flow: futures that are sampled for each candidate")
    steps: int = Field(default=4, ge=2, le=100, description="flow: ODE steps of each of these futures")


class LiveConfig(Config):
    """Settings of a live model."""

    max_candidates: int = Field(
        default=512, ge=1, le=65536, description="largest number of candidates per request; memory grows with it"
    )
    scoring: Sampling = Field(default=Sampling(), description="sampling of the futures that are scored")
    preview: Sampling = Field(default=Sampling(), description="sampling of the predicted frames that are published")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of sampling, the same for all candidates")
    memory_mb: int = Field(
        default=2048, ge=1, description="memory of a rollout in megabytes; more candidates are rolled out in parts"
    )
    approximate: bool = Field(
        default=False, description="leave out latents that no cost needs, even where ranks may change by it"
    )
    goal_tolerance_db: float = Field(
        default=4.0,
        ge=0.0,
        description="largest difference in dB between the PSNR with which the tokenizer reconstructs a goal image and"
        " the newest frame; goals beyond it are rejected as another kind of image; 0: all are accepted",
    )
    compile: Literal["off", "default", "reduce-overhead"] = Field(
        default="off",
        description="torch.compile of predictions: off, default, or reduce-overhead (with CUDA graphs); it takes a"
        " minute or more at the start",
    )
    uncertainty: UncertaintyConfig = UncertaintyConfig()


@dataclass(frozen=True)
class Answer:
    """Scores, and the past that they start from."""

    stamp_ns: int  # acquisition time of the newest frame used
    scores: Scores  # costs [S]
    encode_seconds: float  # 0 if an earlier request encoded the same past


class LiveModel:
    """Encodes each window once and keeps its past for the following requests. Only one thread may use it.

    Args:
        world_model: predicts.
        config: settings.
        objective: costs of candidates.
        limits: of the joints; None: the defaults.
        clock: in seconds, for the durations reported.
        before_pass: called before each pass of the model; an exception that it raises ends the request.

    Raises:
        BadConfig: `config.compile` for a model whose past cannot be cached exactly.
    """

    def __init__(
        self,
        world_model: WorldModel,
        config: LiveConfig,
        objective: Objective,
        limits: Limits | None = None,
        clock: Callable[[], float] = perf_counter,
        before_pass: Callable[[], None] = lambda: None,
    ) -> None:
        self.world_model, self.config, self.clock = world_model, config, clock
        self._before_pass = before_pass
        if config.compile != "off":
            world_model.compile(config.compile)
        self.dynamics = WorldModelDynamics(
            world_model,
            sampling=config.scoring,
            seed=config.seed,
            memory=config.memory_mb * 2**20,
            approximate=config.approximate,
            before_pass=before_pass,
        )
        self.goals = Goals(self.dynamics, config.goal_tolerance_db)
        self.space = space_of(world_model, limits or Limits())
        self._observed: tuple[ContextWindow, Past] | None = None
        self.set_objective(objective)

    def set_objective(self, objective: Objective) -> None:
        """Change the cost terms or weights. The encoded past is kept."""
        self.objective = objective
        self._engine = ScoreEngine(self.dynamics, objective, self.space, self.clock)

    def set_goal(self, image: Image | None) -> int:
        """Set the goal [H, W, 3] of the requests without one; None removes it. Returns its version."""
        return self.goals.set(image)

    def aim(self, window: ContextWindow, goal: GoalChoice) -> Aim:
        """The goal of a request, with the scene at its start. Raises NoGoal, GoalChanged or BadImage."""
        return self.goals.aim(window, goal)

    def warm_up(self) -> None:
        """Score and predict once on synthetic input, so that the first real request is not slow."""
        window = self.blank_window()
        still = self.hold(window.actions[-1])[None]
        self.score(window, still, goal=window.frames[-1])
        self.predict(window, still)
        self.forget_past()

    def blank_window(self) -> ContextWindow:
        """A synthetic window: black frames of a robot that stands at its mean posture."""
        model, manifest = self.world_model, self.world_model.manifest
        size = (model.preprocessing.height, model.preprocessing.width, 3)
        posture = np.clip(manifest.mean, manifest.lower, manifest.upper).astype(np.float32)
        return ContextWindow(
            np.zeros((model.past_frames, *size), np.uint8),
            np.tile(posture, (model.past_frames, 1)),
            np.arange(model.past_frames, dtype=np.int64),
        )

    def forget_past(self) -> None:
        """Encode the next window even if it looks like the last one."""
        self._observed = None

    def observe(self, window: ContextWindow) -> Past:
        """The past of a window; encoded once."""
        return self._observe(window)[0]

    def score(self, window: ContextWindow, candidates: NDArray[np.float32], goal: Image | None = None) -> Answer:
        """Score candidates.

        Args:
            window: the newest context.
            candidates: [S, F, A] in manifest order and units.
            goal: for this request only; None: the goal of `set_goal`.

        Returns:
            The scores: a cost for each candidate [S], lower is better.

        Raises:
            NoGoal: no goal was given or set.
            BadImage: a goal of another kind than the camera's images.
            BadActions: wrong size, too many, or not finite.
        """
        aim = self.aim(window, GoalChoice(goal))
        self._check_number(candidates)
        start = self.clock()
        past, is_new = self._observe(window)
        synchronise(past.latents)
        encode_seconds = self.clock() - start if is_new else 0.0
        wanted = self.config.uncertainty
        uncertainty = (wanted.samples, wanted.steps) if wanted.enabled else None
        return Answer(window.stamp_ns, self._engine.score(past, aim.goal, candidates, uncertainty), encode_seconds)

    @torch.inference_mode()
    def observed_cost(self, window: ContextWindow, aim: Aim, frames: int) -> float:
        """The highest cost of the newest frames: how far the scene itself is from the goal, whatever is predicted.

        Only the terms of the objective that compare images count, each frame as a still scene.

        Args:
            window: the observed frames.
            aim: the goal.
            frames: how many of them count; 0: NaN is returned.

        Raises:
            BadConfig: more frames than the window has.
        """
        if frames > len(window.frames):
            raise BadConfig(
                "observed frames",
                expected=f"at most the {len(window.frames)} frames of the context",
                got=frames,
                remedy="Lower the parameter `reached_frames` of the planner.",
            )
        if frames == 0:
            return float("nan")
        newest, model = window.frames[-frames:], self.world_model
        latents = torch.stack([self.dynamics.still(frame) for frame in newest])[:, None]
        still = torch.from_numpy(window.actions[-1:]).to(self.space.lower)
        scenes = Candidates(
            still.expand(frames, 1, -1),
            still.expand(2, -1),
            Rollout(latents),
            lambda: model.to_video(newest[:, None]),
            aim.goal,
            self.space,
        )
        return float(self.objective.of_scenes(scenes).max())

    def cost_of_holding(self, window: ContextWindow, goal: Image) -> float:
        """The cost of staying at the newest action, towards a goal image. Raises the errors of `score`."""
        return float(self.score(window, self.hold(window.actions[-1])[None], goal).scores.costs[0])

    def predict(self, window: ContextWindow, actions: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Predicted frames uint8 [S, F, H, W, 3], RGB, of actions [S, F, A] in manifest order. Raises BadActions."""
        self._check_number(actions)
        past, _ = self._observe(window)
        self._before_pass()
        rollout = self.world_model.rollout(past, actions, sampling=self.config.preview, seed=self.config.seed)
        return self.world_model.frames(past, rollout)[:, : actions.shape[1]]

    def hold(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """One action [A], repeated over the model's future, [F, A]."""
        return np.tile(action, (self.world_model.future_frames, 1))

    def rest_of(self, plan: NDArray[np.float32], made_ns: int, now_ns: int) -> NDArray[np.float32] | None:
        """The rest [F, A] of a plan at a later frame, with its last action repeated; None when the plan is over.

        Args:
            plan: [F, A].
            made_ns: stamp of the frame that the plan starts from.
            now_ns: stamp of the newest frame.
        """
        elapsed = round((now_ns - made_ns) * 1e-9 * self.world_model.frame_rate_hz)
        if not 0 <= elapsed < len(plan):
            return None
        return np.concatenate([plan[elapsed:], np.repeat(plan[-1:], elapsed, axis=0)])

    def _observe(self, window: ContextWindow) -> tuple[Past, bool]:
        """The past of a window, and whether this call encoded it."""
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
                remedy="Send fewer candidates per request, or raise the parameter `live.max_candidates`.",
            )
