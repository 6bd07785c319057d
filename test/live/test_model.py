"""The live model: scores, predictions and its cached past. No ROS, untrained weights."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.errors import BadActions
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import NoGoal
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.planning.costs.objective import Objective
from hwm_core.world_model.model import WorldModel

FRAME_NS = 1e9 / 30
GOAL = np.full((16, 16, 3), 200, np.uint8)


@pytest.fixture(params=["masked", "flow", "st_transformer", "wan"])
def live(request):
    return LiveModel(
        WorldModel(untrained(family=request.param), dtype=torch.float32), LiveConfig(max_candidates=8), Objective()
    )


def window(seed=0):
    rng = np.random.default_rng(seed)
    stamps = np.round((seed + np.arange(9)) * FRAME_NS).astype(np.int64)
    return ContextWindow(
        rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8), rng.normal(size=(9, 3)).astype(np.float32), stamps
    )


def candidates(count=4, frames=24):
    return np.random.default_rng(1).uniform(-1, 1, (count, frames, 3)).astype(np.float32)


def test_a_goal_of_a_request_gives_the_scores_of_a_goal_that_was_set(live):
    with_request = live.score(window(), candidates(), goal=GOAL)
    live.set_goal(GOAL)
    after_setting = live.score(window(), candidates())
    np.testing.assert_array_equal(with_request.scores.costs, after_setting.scores.costs)
    assert after_setting.stamp_ns == window().stamp_ns


def test_a_goal_of_a_request_is_not_kept(live):
    live.score(window(), candidates(), goal=GOAL)
    with pytest.raises(NoGoal):
        live.score(window(), candidates())


def test_a_window_is_encoded_once_and_a_changed_window_again(live):
    live.set_goal(GOAL)
    assert live.score(window(), candidates()).encode_seconds > 0
    assert live.score(window(), candidates()).encode_seconds == 0
    late_command = ContextWindow(window().frames, window().actions + 0.1, window().stamps_ns)
    assert live.score(late_command, candidates()).encode_seconds > 0


def test_a_new_objective_changes_the_costs_and_keeps_the_encoded_past(live):
    live.set_goal(GOAL)
    before = live.score(window(), candidates())
    live.set_objective(Objective.parse({"goal_changes": {"weight": 2.0}}))
    after = live.score(window(), candidates())
    assert after.encode_seconds == 0
    np.testing.assert_allclose(after.scores.terms["goal_changes"], 2 * before.scores.terms["goal_changes"], rtol=1e-5)


def test_too_many_candidates_are_rejected_with_the_name_of_the_parameter(live):
    live.set_goal(GOAL)
    with pytest.raises(BadActions, match="max_candidates"):
        live.score(window(), candidates(count=9))


def test_one_frame_is_predicted_per_action(live):
    assert live.predict(window(), candidates(2, frames=5)).shape == (2, 5, 16, 16, 3)
    assert live.predict(window(), live.hold(np.zeros(3, np.float32))[None]).shape == (1, 24, 16, 16, 3)


def test_the_rest_of_a_plan_starts_at_the_given_frame_and_holds_the_last_action(live):
    plan = np.arange(24, dtype=np.float32)[:, None]
    rest = live.rest_of(plan, made_ns=0, now_ns=round(5 * FRAME_NS))
    assert rest[:, 0].tolist() == [*range(5, 24), *[23] * 5]
    assert live.rest_of(plan, made_ns=0, now_ns=round(24 * FRAME_NS)) is None
    assert live.rest_of(plan, made_ns=round(5 * FRAME_NS), now_ns=0) is None  # the clock was set back


def test_warming_up_keeps_no_goal_and_no_past(live):
    live.warm_up()
    with pytest.raises(NoGoal):
        live.score(window(), candidates())
    live.set_goal(GOAL)
    assert live.score(window(), candidates()).encode_seconds > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_costs():
    live = LiveModel(WorldModel(untrained(), dtype=torch.float32), LiveConfig(), Objective())  # masked: deterministic
    checkpoint = untrained()
    checkpoint.model.cuda()
    checkpoint.tokenizer.cuda()
    on_gpu = LiveModel(WorldModel(checkpoint, dtype=torch.float32), LiveConfig(), Objective())
    on_gpu.warm_up()
    expected = live.score(window(), candidates(), goal=GOAL).scores.costs
    np.testing.assert_allclose(on_gpu.score(window(), candidates(), goal=GOAL).scores.costs, expected, rtol=1e-3)
