"""The rows of the closed-loop table: one controller each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hwm_core.evaluation.closed_loop.baselines.inverse import InverseDrive
from hwm_core.evaluation.closed_loop.baselines.nearest import NearestMotion
from hwm_core.evaluation.closed_loop.baselines.posture import PostureDrive
from hwm_core.evaluation.closed_loop.baselines.proposals import proposers_of
from hwm_core.evaluation.closed_loop.controller import Controller, Situation, Truth
from hwm_core.evaluation.closed_loop.planned import Planned, ShuffledDynamics, WithoutModel
from hwm_core.evaluation.closed_loop.resources import Resources
from hwm_core.evaluation.closed_loop.simple import Hold, RandomMotion
from hwm_core.evaluation.closed_loop.state_oracle import StateOracle
from hwm_core.evaluation.coders import StillCoder
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.world_model.dynamics import WorldModelDynamics

Need = Literal["checkpoint", "baselines"]


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


def _model_proposals(situation: Situation, truth: Truth, resources: Resources) -> Controller:
    config, fitted = resources.config.of_task(truth.task.kind.name), resources.fitted
    proposers = proposers_of(fitted, ("posture", "inverse"))
    dynamics = WorldModelDynamics(resources.model, sampling=config.scoring)
    return Planned(situation, dynamics, resources.past, config, proposers)


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
    "model_proposals": Row(
        "learned world model, the baselines' actions among the proposals", _model_proposals, ("checkpoint", "baselines")
    ),
    "model_shuffled": Row("learned world model, predictions under shuffled actions", _model_shuffled, ("checkpoint",)),
    "without_model": Row("the same proposals, one chosen at random", _without_model, ("checkpoint",)),
    "oracle_picture": Row(
        "search on the true simulator, cost on its images", _oracle_picture, ("checkpoint",), oracle=True
    ),
    "oracle_state": Row(
        "search on the true simulator, cost on its state",
        lambda situation, truth, resources: StateOracle(
            situation, truth, resources.view, resources.config.of_task(truth.task.kind.name)
        ),
        oracle=True,
    ),
}
"""{name: row}."""
