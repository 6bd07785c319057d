"""What cannot be planned or scored is answered clearly, with the shipped model on the simulated robot. No ROS."""

import numpy as np
import pytest
import torch

from hwm_core.errors import BadActions, BadImage
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import GoalChoice
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.planner import DeadlineTooShort, LivePlan, LivePlanner, PlanRequest
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.search_config import SearchConfig
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import make_task
from hwm_core.world_model.model import WorldModel

SEARCH = SearchConfig(proposals=8, first_batches=1, refinements=1, variations=4)
NECK = TASKS["look"].joints


@pytest.fixture(scope="module")
def tiny() -> WorldModel:
    return WorldModel.load("tiny")


@pytest.fixture(scope="module")
def scene(tiny: WorldModel) -> tuple[ContextWindow, np.ndarray]:
    """The context at the start of a task, and its goal."""
    with SimHumanoid(2_400_001) as robot:
        task = make_task(TASKS["look"], robot, 2_400_001)
        observer = SimObserver(robot, tiny)
        observer.hold_until_full()
        seen = observer.observation()
    stamps = 1 + np.round(np.arange(len(seen.frames)) * 1e9 / tiny.frame_rate_hz).astype(np.int64)
    return ContextWindow(seen.frames, seen.actions, stamps), tiny.preprocessing.apply(task.goal_image)


def live(tiny: WorldModel, **config: float) -> LiveModel:
    return LiveModel(tiny, LiveConfig(**config), Objective())


def planned(model: LiveModel, window: ContextWindow, goal: np.ndarray, seconds: float | None = None) -> LivePlan:
    return LivePlanner(model, SEARCH).plan(window, PlanRequest(NECK, GoalChoice(goal), seconds=seconds))


def test_a_task_gives_a_plan_that_moves(tiny, scene) -> None:
    made = planned(live(tiny), *scene).plan
    assert not made.holds and not made.fulfilled


@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_a_goal_that_is_fulfilled_already_is_answered_by_holding_whatever_the_camera_noise(tiny, scene, noise) -> None:
    window, _ = scene
    goal = window.frames[-1] + np.random.default_rng(1).normal(0, noise, window.frames[-1].shape)
    made = planned(live(tiny), window, goal.clip(0, 255).astype(np.uint8))
    assert made.plan.holds and made.plan.fulfilled
    np.testing.assert_allclose(made.actions, np.tile(window.actions[-1], (24, 1)), atol=1e-5)


def test_a_goal_out_of_reach_is_answered_by_holding_at_a_cost(tiny, scene) -> None:
    """Only a joint that the goal does not need may move."""
    window, goal = scene
    request = PlanRequest(("left_gripper",), GoalChoice(goal))
    made = LivePlanner(live(tiny), SEARCH).plan(window, request).plan
    assert made.holds and not made.fulfilled
    assert made.cost_of_holding > 0.5


def checkers(like: np.ndarray) -> np.ndarray:
    return np.broadcast_to((np.indices(like.shape[:2]).sum(0)[..., None] // 8 % 2 * 255).astype(np.uint8), like.shape)


FOREIGN = {
    "noise": lambda like: np.random.default_rng(0).integers(0, 256, like.shape, dtype=np.uint8),
    "black": np.zeros_like,
    "checkers": checkers,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_goal_of_another_kind_is_rejected_unless_that_is_allowed(tiny, scene, kind) -> None:
    window, goal = scene
    foreign = FOREIGN[kind](goal)
    model = live(tiny)
    with pytest.raises(BadImage, match="goal_tolerance_db"):
        planned(model, window, foreign)
    with pytest.raises(BadImage, match="goal_tolerance_db"):
        model.score(window, model.hold(window.actions[-1])[None], foreign)
    model.set_goal(foreign)
    with pytest.raises(BadImage, match="goal_tolerance_db"):
        LivePlanner(model, SEARCH).plan(window, PlanRequest(NECK))
    assert planned(live(tiny, goal_tolerance_db=0), window, foreign).actions.shape == (24, 16)


def test_a_goal_is_checked_once(tiny, scene, monkeypatch) -> None:
    window, goal = scene
    model, calls = live(tiny), []
    reconstruct = WorldModel.reconstruct
    monkeypatch.setattr(WorldModel, "reconstruct", lambda self, frames: calls.append(0) or reconstruct(self, frames))
    for _ in range(3):
        model.aim(window, GoalChoice(goal))
    assert len(calls) == 1


def test_a_deadline_shorter_than_one_pass_gives_no_plan(tiny, scene) -> None:
    with pytest.raises(DeadlineTooShort, match="first batch"):
        planned(live(tiny), *scene, seconds=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -40.0])
def test_candidates_that_are_not_finite_or_far_from_the_limits_are_rejected(tiny, scene, value) -> None:
    window, goal = scene
    model = live(tiny)
    candidates = np.stack([model.hold(window.actions[-1])] * 3)
    candidates[1, 5, 2] = value
    with pytest.raises(BadActions, match="candidate"):
        model.score(window, candidates, goal)


def test_candidates_a_little_outside_the_limits_are_scored_and_cost_more(tiny, scene) -> None:
    window, goal = scene
    model = live(tiny)
    inside = model.hold(window.actions[-1])
    inside[:, 0] = model.space.upper[0] * 0.9
    outside = inside.copy()
    outside[:, 0] = model.space.upper[0] * 1.3
    terms = model.score(window, np.stack([inside, outside]), goal).scores.terms
    assert terms["joint_limits"][0] == 0 < terms["joint_limits"][1]


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_a_robot_that_stands_outside_its_limits_gets_no_plan(tiny, scene, value) -> None:
    window, goal = scene
    actions = window.actions.copy()
    actions[-1, 0] = value
    with pytest.raises(BadActions, match="neck_yaw outside"):
        planned(live(tiny), ContextWindow(window.frames, actions, window.stamps_ns), goal)


def test_a_joint_that_stood_still_in_the_training_data_may_read_a_little_beside_its_place(tiny, scene) -> None:
    window, goal = scene
    model = live(tiny)
    place = float(window.actions[-1, 5])
    for limits in (model.space.lower, model.space.upper):
        limits[5] = place - 0.01
    assert planned(model, window, goal).actions.shape == (24, 16)
    torch.testing.assert_close(model.space.lower[5], model.space.upper[5])
