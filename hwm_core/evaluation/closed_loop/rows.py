"""The rows of the closed-loop table: one controller each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.baselines.files import Baselines
from hwm_core.evaluation.closed_loop.baselines.inverse import InverseDrive
from hwm_core.evaluation.closed_loop.baselines.nearest import MotionLibrary, NearestMotion
from hwm_core.evaluation.closed_loop.baselines.posture import PostureDrive
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.controller import Controller, Situation, Truth
from hwm_core.evaluation.closed_loop.planned import Planned, ShuffledDynamics, WithoutModel
from hwm_core.evaluation.closed_loop.simple import Hold, RandomMotion
from hwm_core.evaluation.closed_loop.state_oracle import StateOracle
from hwm_core.evaluation.coders import StillCoder
from hwm_core.evaluation.sim_observer import SimObservation, View
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

Need = Literal["checkpoint", "baselines"]


@dataclass(frozen=True)
class Resources:
    """What rows are made of."""

    view: View
    config: PlanningConfig
    world_model: WorldModel | None = None
    baselines: Baselines | None = None

    @cached_property
    def library(self) -> MotionLibrary:
        """The recorded motions."""
        return self.fitted.library()

    @property
    def fitted(self) -> Baselines:
        """The baselines. Raises BadConfig without them."""
        if self.baselines is None:
            raise BadConfig(
                "Rows of baselines", expected="--baselines", got="none", remedy="Fit them: `hwm bench fit-baselines`."
            )
        if self.baselines.description.preprocessing != self.view.preprocessing:
            expected, got = self.view.preprocessing.differences(self.baselines.description.preprocessing)
            raise BadConfig(
                "Baselines",
                expected=f"the preprocessing of the other rows, {expected}",
                got=got,
                remedy="Fit them on a store of that preprocessing.",
            )
        return self.baselines

    @property
    def model(self) -> WorldModel:
        """The world model. Raises BadConfig without one."""
        if self.world_model is None:
            raise BadConfig("Rows of a model", expected="--checkpoint", got="none", remedy="Name a checkpoint.")
        return self.world_model

    def past(self, observation: SimObservation) -> Past:
        """The model's encoded context."""
        return self.model.observe(observation.frames, observation.actions)


Make = Callable[[Situation, Truth, Resources], Controller]


@dataclass(frozen=True)
class Row:
    """One controller."""

    summary: str
    make: Make
    needs: tuple[Need, ...] = ()
    oracle: bool = False  # uses the simulator, so it is a bound and not a baseline


def _posture(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    fitted = resources.fitted
    return PostureDrive(situation, fitted.networks["posture"], fitted.mean, fitted.std)


def _inverse(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    fitted = resources.fitted
    return InverseDrive(situation, fitted.networks["inverse"], fitted.mean, fitted.std)


def _oracle_picture(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    dynamics = TrueDynamics(truth.robot, resources.view, StillCoder(resources.model))
    return Planned(situation, dynamics, lambda observation: observation, resources.config.of_task(truth.task.kind.name))


def _model(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    config = resources.config.of_task(truth.task.kind.name)
    dynamics = WorldModelDynamics(resources.model, sampling=config.scoring)
    return Planned(situation, dynamics, resources.past, config)


def _model_shuffled(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    config = resources.config.of_task(truth.task.kind.name)
    dynamics = ShuffledDynamics(WorldModelDynamics(resources.model, sampling=config.scoring), situation.seed)
    return Planned(situation, dynamics, resources.past, config)


def _without_model(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    config = resources.config.of_task(truth.task.kind.name)
    return WithoutModel(situation, resources.model.future_frames, config)


ROWS: Mapping[str, Row] = {
    "hold": Row("holds still", lambda situation, truth, resources: Hold(situation)),
    "random": Row("random postures", lambda situation, truth, resources: RandomMotion(situation)),
    "posture": Row("no planning: posture read off the goal image, smooth drive", _posture, ("baselines",)),
    "nearest": Row(
        "nearest training motion, replayed",
        lambda situation, truth, resources: NearestMotion(situation, resources.library),
        ("baselines",),
    ),
    "inverse": Row("goal-conditioned inverse model", _inverse, ("baselines",)),
    "model": Row("learned world model", _model, ("checkpoint",)),
    "model_shuffled": Row("the same, predictions under shuffled actions", _model_shuffled, ("checkpoint",)),
    "without_model": Row("the same proposals, one chosen at random", _without_model, ("checkpoint",)),
    "oracle_picture": Row(
        "search on the true simulator, cost on its images", _oracle_picture, ("checkpoint",), oracle=True
    ),
    "oracle_state": Row(
        "search on the true simulator, cost on its state",
        lambda situation, truth, resources: StateOracle(situation, truth, resources.view),
        oracle=True,
    ),
}
"""{name: row}."""
