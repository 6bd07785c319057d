"""Scoring and receding-horizon planning, with a dynamics that can be solved on paper."""

import numpy as np
import pytest
import torch
from spot_dynamics import SpotDynamics, goal_at, space

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadActions, RobotMismatch
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import PlannerConfig, RecedingHorizonPlanner
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.planning.solvers.icem import ICEMConfig

PAST = torch.tensor([[8.0, 0.2], [8.0, 0.2]])
OBJECTIVE = Objective.parse(
    {
        "goal_changes": {"weight": 0.0},
        "goal_colours": {"weight": 1.0, "discount": 0.0},
        "smoothness": {"weight": 0.0},
        "lateness": {"weight": 0.0},
    }
)


def engine(**keywords) -> ScoreEngine[torch.Tensor]:
    return ScoreEngine(SpotDynamics(), OBJECTIVE, space(), **keywords)


def candidates(*positions: float, frames: int = 12) -> np.ndarray:
    slide = np.repeat(np.array(positions, np.float32)[:, None], frames, axis=1)
    return np.stack([slide, np.zeros_like(slide)], axis=-1)


def test_the_candidate_at_the_goal_is_best() -> None:
    scores = engine().score(PAST, goal_at(5.0), candidates(9.0, 5.0, 2.0))
    assert scores.best == 1
    assert scores.costs[1] < 1e-6 < scores.costs[2] < scores.costs[0]


def test_terms_sum_to_costs() -> None:
    scores = engine().score(PAST, goal_at(5.0), candidates(16.0, 5.0))
    assert scores.terms["joint_limits"][0] > 0
    np.testing.assert_allclose(sum(scores.terms.values()), scores.costs)


def test_short_candidates_hold_their_last_action() -> None:
    short = engine().score(PAST, goal_at(5.0), candidates(9.0, 5.0, frames=1))
    full = engine().score(PAST, goal_at(5.0), candidates(9.0, 5.0))
    np.testing.assert_array_equal(short.costs, full.costs)


@pytest.mark.parametrize("shape", [(12, 2), (0, 12, 2), (3, 0, 2), (3, 13, 2), (3, 12, 3), (3, 12, 1)])
def test_candidates_of_the_wrong_size_are_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadActions, match="A = 2"):
        engine().score(PAST, goal_at(5.0), np.zeros(shape, np.float32))


def test_a_nan_candidate_is_rejected_with_its_index() -> None:
    broken = candidates(1.0, 2.0)
    broken[1, 3, 0] = np.nan
    with pytest.raises(BadActions, match=r"\[1, 3, 0\]"):
        engine().score(PAST, goal_at(5.0), broken)


def test_a_cost_that_is_not_finite_is_an_error_with_the_term() -> None:
    goal = goal_at(5.0)
    broken = type(goal)(goal.image, torch.full((3, 16, 1), torch.nan))
    with pytest.raises(FloatingPointError, match="goal_colours"):
        engine().score(PAST, broken, candidates(5.0))


def test_durations_come_from_the_given_clock() -> None:
    ticks = iter([10.0, 12.0, 15.0])
    scores = engine(clock=lambda: next(ticks)).score(PAST, goal_at(5.0), candidates(5.0))
    assert scores.seconds == {"rollout": 2.0, "cost": 3.0}


def planner(seed: int = 0, max_velocity: float = 1000.0, **config) -> RecedingHorizonPlanner:
    defaults = {"horizon_frames": 12, "knots": 3, "joints": ("slide",), "cem": ICEMConfig(iterations=8, decay=1.0)}
    return RecedingHorizonPlanner(PlannerConfig(**{**defaults, **config}), space(max_velocity), seed)


def scorer(goal: float, past: torch.Tensor = PAST):
    score_engine = engine()
    return lambda actions: torch.from_numpy(score_engine.score(past, goal_at(goal), actions).costs)


def test_the_plan_ends_at_the_goal() -> None:
    plan = planner().plan(scorer(5.0), PAST[-1], elapsed_frames=0)
    assert plan.actions[-1, 0].item() == pytest.approx(5.0, abs=0.2)


def test_joints_that_are_not_planned_stay_constant() -> None:
    plan = planner().plan(scorer(5.0), PAST[-1], elapsed_frames=0)
    assert (plan.actions[:, 1] == PAST[-1, 1]).all()


def test_plans_keep_the_speed_limit() -> None:
    # 4 units/s at 10 Hz: 0.4 per frame, 4.8 in 12 frames; the goal is 6 away
    plan = planner(max_velocity=4.0).plan(scorer(2.0), PAST[-1], elapsed_frames=0)
    steps = torch.cat([PAST[-1:], plan.actions]).diff(dim=0).abs()
    assert steps.max() <= 0.4 + 1e-5
    assert plan.actions[-1, 0].item() == pytest.approx(8.0 - 4.8, abs=0.1)


def test_plans_keep_the_joint_limits() -> None:
    plan = planner(spread=10.0).plan(scorer(0.0), PAST[-1], elapsed_frames=0)
    assert plan.actions[:, 0].min() >= 0.0


def test_the_same_seed_gives_the_same_plan() -> None:
    plans = [planner(seed).plan(scorer(5.0), PAST[-1], 0).actions for seed in (1, 1, 2)]
    assert torch.equal(plans[0], plans[1])
    assert not torch.equal(plans[0], plans[2])


def test_the_search_starts_from_the_rest_of_the_last_plan() -> None:
    searcher = planner(cem=ICEMConfig(iterations=1))
    first = searcher.plan(scorer(5.0), PAST[-1], elapsed_frames=0).actions
    evaluated: list[torch.Tensor] = []
    searcher.plan(lambda actions: evaluated.append(actions) or torch.zeros(len(actions)), first[3], elapsed_frames=4)
    # Four frames were run. The first mean passes through the knots of the old plan, its last action held.
    shifted = torch.cat([first[4:], first[-1:].expand(4, -1)])
    assert torch.allclose(evaluated[0][0, [3, 7, 11], 0], shifted[[3, 7, 11], 0], atol=1e-5)


def test_without_a_followed_plan_the_search_starts_from_standing_still() -> None:
    searcher = planner()
    searcher.plan(scorer(5.0), PAST[-1], elapsed_frames=0)
    evaluated: list[torch.Tensor] = []
    searcher.plan(lambda actions: evaluated.append(actions) or torch.zeros(len(actions)), PAST[-1], elapsed_frames=None)
    assert (evaluated[0][0] == PAST[-1]).all()


def test_a_warm_start_ends_with_a_lower_cost_than_a_cold_start_of_the_same_length() -> None:
    quick = ICEMConfig(iterations=1, candidates=16, elites=4)
    cold, warm = planner(cem=quick), planner(cem=quick)
    at = PAST[-1]
    for _ in range(6):
        warm.plan(scorer(5.0), at, elapsed_frames=0)
    assert warm.plan(scorer(5.0), at, 0).cost <= cold.plan(scorer(5.0), at, 0).cost


def test_running_the_first_frames_of_every_plan_reaches_the_goal() -> None:
    searcher, past = planner(max_velocity=10.0), PAST
    for _ in range(6):
        plan = searcher.plan(scorer(3.0, past), past[-1], elapsed_frames=4)
        past = plan.actions[2:4]
    assert past[-1, 0].item() == pytest.approx(3.0, abs=0.2)


def test_first_candidates_spread_by_the_scales_of_the_joints() -> None:
    proposed = planner(spread=0.5, cem=ICEMConfig(candidates=2000)).propose(PAST[-1])
    assert proposed.shape == (2000, 12, 2)
    # The last knot: mean 8, standard deviation 0.5 * 4 = 2; the limits are 3.5 deviations away
    assert proposed[:, -1, 0].mean().item() == pytest.approx(8.0, abs=0.2)
    assert proposed[:, -1, 0].std().item() == pytest.approx(2.0, abs=0.1)
    assert (proposed[..., 1] == PAST[-1, 1]).all()


def test_an_unknown_joint_to_plan_is_rejected_with_its_name() -> None:
    with pytest.raises(RobotMismatch, match="elbow"):
        planner(joints=("slide", "elbow"))


def test_a_constant_joint_of_the_manifest_is_never_moved() -> None:
    manifest = ActionManifest(
        robot="two_joints",
        kind="commands",
        names=("slide", "stuck"),
        units=("m", "rad"),
        lower=(0.0, -1.0),
        upper=(1.0, 1.0),
        mean=(0.5, 0.0),
        std=(0.2, 1.0),
        constant=(False, True),
    )
    made = JointSpace.from_manifest(manifest, frame_rate_hz=30.0, max_velocity=3.0)
    assert made.scale.tolist() == [pytest.approx(0.2), 0.0]
    assert made.max_step.tolist() == [pytest.approx(0.1)] * 2
    plan = RecedingHorizonPlanner(PlannerConfig(horizon_frames=4, knots=2), made, seed=0).plan(
        lambda actions: actions[:, -1].sum(dim=1), torch.tensor([0.5, 0.3]), 0
    )
    assert (plan.actions[:, 1] == 0.3).all()
    assert plan.actions[-1, 0] < 0.5
