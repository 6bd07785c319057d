"""The ranking of candidates: from the goal-reaching one to bad ones, by several costs."""

import numpy as np
import pytest
from untrained import untrained

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.ranking import rank_candidates
from hwm_core.evaluation.closed_loop.ranking_candidates import HOLD, TRUE, ranking_candidates
from hwm_core.evaluation.closed_loop.ranking_record import Agreement, RankingRecord
from hwm_core.evaluation.closed_loop.ranking_table import ranking_table
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.description import joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.look import LOOK
from hwm_core.world_model.model import WorldModel

SPACE = JointSpace.from_limits("abc", [-1] * 3, [1] * 3, [0.3] * 3, frame_rate_hz=10.0, max_velocity=2.0)


@pytest.fixture(scope="module")
def world_model() -> WorldModel:
    return WorldModel(untrained(joints=joints().names, limit=3.0))


@pytest.fixture(scope="module")
def robot():
    with SimHumanoid(0) as robot:
        yield robot


@pytest.mark.parametrize("frames", [5, 12, 30])
def test_the_first_candidate_reaches_the_goal_within_the_horizon_and_the_second_holds(frames):
    now = np.array([0.0, 0.5, -0.5], np.float32)
    true = np.linspace(now, now + np.array([0.6, 0.2, 0.9], np.float32), frames + 1)[1:].astype(np.float32)
    candidates = ranking_candidates(now, true, 12, SPACE, ("a", "b"), count=11, seed=0)
    assert candidates.shape == (11, 12, 3)
    np.testing.assert_allclose(candidates[TRUE, -1, :2], true[-1, :2], atol=1e-5)
    np.testing.assert_array_equal(candidates[HOLD], np.tile(now, (12, 1)))
    np.testing.assert_array_equal(candidates[..., 2], now[2], err_msg="joints that are not planned hold")


def test_candidates_keep_the_speed_limit_and_differ():
    now = np.zeros(3, np.float32)
    candidates = ranking_candidates(now, np.full((2, 3), 0.9, np.float32), 12, SPACE, ("a", "b", "c"), 20, seed=1)
    steps = np.diff(np.concatenate([np.zeros((20, 1, 3)), candidates], axis=1), axis=1)
    assert np.abs(steps).max() <= 0.2 + 1e-6
    assert len(np.unique(candidates.reshape(20, -1).round(4), axis=0)) == 20


def test_a_cost_equal_to_the_error_agrees_perfectly_and_a_constant_cost_has_no_correlation():
    errors = np.array([0.01, 0.2, 0.1, 0.3])
    assert Agreement.of(errors, errors) == Agreement(
        spearman=1.0, top1_regret=0.0, better_than_true=0.0, chosen_error=0.01
    )
    opposite = Agreement.of(-errors, errors)
    assert (opposite.spearman, opposite.top1_regret, opposite.better_than_true) == (pytest.approx(-1), 1.0, 1.0)
    assert Agreement.of(np.zeros(4), errors).spearman is None


@pytest.mark.parametrize("place", ["start", "near"])
def test_every_source_scores_the_candidates_of_a_place(robot, world_model, place):
    done = rank_candidates(robot, world_model, LOOK, 2_400_002, place, 5, PlanningConfig())
    assert len(done.errors) == 5
    assert set(done.sources) == {"truth", "tokenizer", "model"}
    assert done.errors[TRUE] < 0.3 * done.hold_error
    assert (done.hold_error > 0.15) == (place == "start")
    assert done.hold_error > 0.02
    again = rank_candidates(robot, world_model, LOOK, 2_400_002, place, 5, PlanningConfig())
    assert again == done


def test_the_table_counts_choices_nearer_and_further_than_holding():
    def one(chosen):
        agreement = Agreement(spearman=None, top1_regret=0.5, better_than_true=0.25, chosen_error=chosen)
        return RankingRecord(errors=(0.0, 0.06, 0.1), sources={"model": agreement})

    text = ranking_table({"near": {"reach": {1: one(0.02), 2: one(0.058), 3: one(0.09), 4: one(0.01)}}})
    assert "| reach | near | model | 4 | nan | 0.50 | 25 % | 0.039 m | 0.060 m | 50 % (15-85) | 25 % (5-70) |" in text
