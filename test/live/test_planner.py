"""Plans of a live model: goals, deadlines, warm starts, repeatable searches. No ROS, untrained weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from untrained import JOINTS, untrained
from urdf_robot import ARM, robot_manifest, write_urdf

from hwm_core.errors import BadActions, BadConfig, RobotMismatch
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import GoalChanged, GoalChoice, NoGoal
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.planner import DeadlineTooShort, Followed, LivePlanner, PlanRequest, PlanTooLate
from hwm_core.live.robots import motions_of, space_of
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.limits import Limits
from hwm_core.planning.proposals.arm import ArmConfig
from hwm_core.planning.search_config import SearchConfig
from hwm_core.world_model.model import WorldModel

FRAME_NS = 1e9 / 30
GOAL = np.full((16, 16, 3), 200, np.uint8)
SEARCH = SearchConfig(proposals=6, refinements=1, variations=4, polish=False, margin=0.0)
# An untrained model predicts the same for all motions: the joints are drawn to the middle of their range.
TO_THE_MIDDLE = Objective.parse({"joint_limits": {"margin": 0.45}, "lateness": {"weight": 0.0}})
AT = np.array([0.8, -0.8, 0.8], np.float32)


class Clock:
    """Advances by `step` seconds at every reading."""

    def __init__(self, step=0.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def make(search=SEARCH, clock=None, **limits):
    model = WorldModel(untrained(family="flow"), dtype=torch.float32)
    live = LiveModel(model, LiveConfig(), TO_THE_MIDDLE, Limits(**limits), clock or Clock())
    return live, LivePlanner(live, search)


@pytest.fixture
def live():
    return make()


def window(seed=0):
    rng = np.random.default_rng(seed)
    stamps = np.round((seed + np.arange(9)) * FRAME_NS).astype(np.int64)
    actions = np.tile(AT, (9, 1))
    return ContextWindow(rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8), actions, stamps)


def test_a_plan_starts_at_the_newest_frame_and_keeps_the_limits():
    _, planner = make(max_velocity=0.5, max_acceleration=5.0)
    made = planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL)))
    assert made.stamp_ns == window().stamp_ns
    assert made.actions.shape == (24, 3)
    whole = np.concatenate([window().actions[-2:], made.actions])
    assert np.abs(np.diff(whole, axis=0)).max() <= 0.5 / 30 + 1e-5
    assert np.abs(np.diff(whole, n=2, axis=0)).max() <= 5.0 / 30**2 + 1e-5


def test_only_the_joints_of_the_request_move(live):
    made = live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), joints=("left_elbow",)))
    moved = np.ptp(np.concatenate([window().actions[-1:], made.actions]), axis=0)
    assert moved[[0, 2]].max() == 0 < moved[1]


def test_the_goal_of_a_request_gives_the_plan_of_a_goal_that_was_set(live):
    with_request = live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL)))
    live[0].set_goal(GOAL)
    np.testing.assert_array_equal(live[1].plan(window(), PlanRequest()).actions, with_request.actions)


def test_what_changes_counts_from_the_first_use_of_a_goal_until_it_is_set_again(live):
    model, planner = live
    model.set_goal(GOAL)
    planner.plan(window(), PlanRequest())
    aim = model.aim(window(5), GoalChoice())
    planner.plan(window(5), PlanRequest())
    assert model.aim(window(5), GoalChoice()) is aim
    np.testing.assert_array_equal(aim.goal.start, model.dynamics.goal(GOAL, window().frames[-1]).start)
    model.goals.forget_starts()
    later = model.aim(window(5), GoalChoice())
    assert not torch.equal(later.goal.start, aim.goal.start)
    assert torch.equal(later.goal.latent, aim.goal.latent)


def test_plans_of_one_sender_and_version_share_the_start_of_their_goal_whoever_else_plans(live):
    model, planner = live
    goal, other = GoalChoice(GOAL, version=1, sender="a"), GoalChoice(GOAL // 2, version=1, sender="b")
    first = planner.plan(window(), PlanRequest(goal=goal))
    planner.plan(window(5), PlanRequest(goal=other))
    model.set_goal(GOAL // 3)
    aim = model.aim(window(5), goal)
    np.testing.assert_array_equal(aim.goal.start, model.dynamics.goal(GOAL, window().frames[-1]).start)
    assert planner.plan(window(5), PlanRequest(goal=goal)).stamp_ns > first.stamp_ns
    assert model.aim(window(5), GoalChoice(GOAL, version=2, sender="a")) is not aim
    for version in range(3, 20):
        model.aim(window(5), GoalChoice(GOAL, version, "a"))
    assert model.aim(window(5), goal) is not aim, "only the newest goals are kept"


def test_a_request_for_a_goal_that_was_replaced_is_rejected(live):
    model, planner = live
    version = model.set_goal(GOAL)
    planner.plan(window(), PlanRequest(goal=GoalChoice(version=version)))
    model.set_goal(GOAL)
    with pytest.raises(GoalChanged, match="another goal was set"):
        planner.plan(window(), PlanRequest(goal=GoalChoice(version=version)))
    assert make()[0].goals.version != make()[0].goals.version, "a restart is another version"


def test_the_same_requests_in_the_same_order_give_the_same_plans(live):
    model, planner = live

    def plans(seed=1):
        model.set_goal(GOAL)
        return [planner.plan(window(), PlanRequest(seed=seed)).actions for _ in range(2)]

    first, again = plans(), plans()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1]), "a search goes on with its random numbers"
    assert not np.array_equal(first[0], plans(seed=2)[0])


def test_the_rest_of_the_followed_plan_is_a_candidate():
    live, planner = make(SearchConfig(proposals=6, refinements=0, polish=False, margin=0.0))
    live.set_goal(GOAL)
    first = planner.plan(window(), PlanRequest())
    hold_only = LivePlanner(live, SearchConfig(proposals=0, refinements=0, polish=False, margin=0.0))
    followed = Followed(first.actions, first.stamp_ns)
    later = window(3)
    assert hold_only.plan(later, PlanRequest(followed=followed)).plan.futures > 1
    over = Followed(first.actions, first.stamp_ns - round(30 * FRAME_NS))
    with_nothing = hold_only.plan(later, PlanRequest())
    assert hold_only.plan(later, PlanRequest(followed=over)).plan.futures == with_nothing.plan.futures


def test_a_deadline_shorter_than_one_batch_gives_no_plan_and_the_time_of_the_batch():
    _, planner = make(clock=Clock(step=1.0))
    with pytest.raises(DeadlineTooShort, match=r"more than 2\.000 s.* got 0\.500 s"):
        planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=0.5))


def test_a_deadline_ends_the_search_before_a_batch_that_would_end_too_late():
    _, planner = make(clock=Clock(step=1.0))
    # The past is ready after 1 s, the first batch after 2 s, and so another batch after 4 s.
    assert not planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=3.5)).plan.complete
    assert planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=60.0)).plan.complete


def test_a_followed_plan_that_is_not_finite_is_rejected_even_when_it_is_over():
    with pytest.raises(BadActions, match="followed"):
        Followed(np.full((24, 3), np.nan, np.float32), stamp_ns=1)


def test_a_followed_plan_of_another_size_is_rejected(live):
    for actions in (np.zeros((25, 3)), np.zeros((24, 2))):
        followed = Followed(actions.astype(np.float32), window().stamp_ns)
        with pytest.raises(BadActions, match="warm start"):
            live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), followed=followed))


def test_a_plan_needs_a_goal_and_joints_of_the_model(live):
    with pytest.raises(NoGoal):
        live[1].plan(window(), PlanRequest())
    with pytest.raises(RobotMismatch, match="tail"):
        live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), joints=(JOINTS[0], "tail")))
    with pytest.raises(RobotMismatch, match=f"{JOINTS[0]} more than once"):
        live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), joints=(JOINTS[0], JOINTS[0])))


def test_a_goal_that_is_the_scene_itself_is_answered_by_holding():
    _, planner = make(SearchConfig(proposals=6, refinements=0, polish=False, margin=1e6))
    held = planner.plan(window(), PlanRequest(goal=GoalChoice(window().frames[-1])))
    assert held.plan.holds
    np.testing.assert_array_equal(held.actions, np.repeat(window().actions[-1:], 24, axis=0))


def test_warming_up_the_search_keeps_no_goal_and_changes_no_plan():
    warm, cold = make(), make()
    warm[1].warm_up()
    with pytest.raises(NoGoal):
        warm[1].plan(window(), PlanRequest())
    plans = [planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL))).actions for _, planner in (warm, cold)]
    np.testing.assert_array_equal(*plans)


def test_warming_up_reports_settings_that_cannot_work():
    model, _ = make()
    model.set_objective(Objective.parse({"goal_tokens": {"weight": 1.0}}))
    with pytest.raises(BadConfig, match="goal_tokens"):
        LivePlanner(model, SEARCH).warm_up()


def test_the_hand_of_a_robots_own_arm_moves_when_the_whole_arm_is_planned(tmp_path):
    manifest = robot_manifest(ARM)
    arm = ArmConfig(urdf=write_urdf(tmp_path), palm="palm").arm(manifest)
    model = WorldModel(replace(untrained(joints=ARM), manifest=manifest), dtype=torch.float32)
    space = space_of(model, Limits())
    start = np.zeros(len(ARM), np.float32)
    names = [motion.name for motion in motions_of(model, ARM, start, space, arm)]
    assert names == ["hand reach", "hand detour", "hand stroke", "back"]
    assert [motion.name for motion in motions_of(model, ARM[1:], start, space, arm)] == ["joint move", "back"]
    still = ContextWindow(window().frames, np.full((9, len(ARM)), 0.1, np.float32), window().stamps_ns)
    planner = LivePlanner(LiveModel(model, LiveConfig(), TO_THE_MIDDLE), SEARCH, arm)
    made = planner.plan(still, PlanRequest(goal=GoalChoice(GOAL)))
    assert made.actions.shape == (24, 6)
    with pytest.raises(RobotMismatch, match="shoulder_pan"):
        LivePlanner(make()[0], SEARCH, arm)


def test_proposals_of_other_sources_are_candidates(live):
    class One:
        name = "told"

        def __call__(self, past, goal, recent_actions, space, generator, count):
            assert count == SEARCH.proposals
            return recent_actions[-1].expand(1, 24, -1)

    request = PlanRequest(goal=GoalChoice(GOAL))
    with_one = LivePlanner(live[0], SEARCH, proposers=(One(),)).plan(window(), request)
    assert with_one.plan.futures == live[1].plan(window(), request).plan.futures + 1


def test_the_memory_and_the_approximation_of_rollouts_are_settings(monkeypatch):
    model = WorldModel(untrained(), dtype=torch.float32)
    small = LiveModel(model, LiveConfig(memory_mb=1, approximate=True), Objective())
    assert small.dynamics.memory == 2**20
    past, actions = small.observe(window()), torch.zeros(2, 24, 3)
    assert small.dynamics.rollout(past, actions, 1).latents.shape[1] == 1
    assert LiveModel(model, LiveConfig(), Objective()).dynamics.rollout(past, actions, 1).latents.shape[1] == 3
    asked = []
    monkeypatch.setattr(WorldModel, "compile", lambda self, mode: asked.append(mode))
    LiveModel(model, LiveConfig(compile="reduce-overhead"), Objective())
    LiveModel(model, LiveConfig(), Objective())
    assert asked == ["reduce-overhead"]


def test_a_model_that_cannot_be_compiled_is_an_error():
    model = WorldModel(untrained(attention="bidirectional"), dtype=torch.float32)
    with pytest.raises(BadConfig, match="cache"):
        LiveModel(model, LiveConfig(compile="default"), Objective())


def executed(frames=24):
    """What the robot does without a new plan: the first joint moves slowly."""
    actions = np.tile(AT, (frames, 1))
    actions[:, 0] -= 0.005 * np.arange(1, frames + 1)
    return Followed(actions, window().stamp_ns)


def begin_after(steps, of=0):
    return window(of).stamp_ns + round(steps * FRAME_NS)


@pytest.mark.parametrize("steps", [1, 7, 23])
def test_a_plan_begins_with_what_the_robot_does_until_it_can_act(live, steps):
    made = live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), followed=executed(), begin_ns=begin_after(steps)))
    assert made.committed == steps
    np.testing.assert_array_equal(made.actions[:steps], executed().actions[:steps])
    assert not np.array_equal(made.actions[steps:], executed().actions[steps:])


def test_every_candidate_starts_with_the_committed_actions_and_from_one_window(live, monkeypatch):
    model, planner = live
    rolled, observed = [], []
    rollout, observe = model.dynamics.rollout, model.world_model.observe
    monkeypatch.setattr(
        model.dynamics, "rollout", lambda past, actions, n: rolled.append(actions) or rollout(past, actions, n)
    )
    monkeypatch.setattr(model.world_model, "observe", lambda *inputs: observed.append(1) or observe(*inputs))
    made = planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), followed=executed(), begin_ns=begin_after(9)))
    candidates = torch.cat(rolled)
    assert len(candidates) == made.plan.futures > 8 and len(rolled) > 2 and len(observed) == 1
    expected = torch.from_numpy(executed().actions[:9]).expand(len(candidates), -1, -1)
    assert torch.equal(candidates[:, :9], expected)


def test_a_committed_plan_keeps_the_limits_where_it_begins():
    _, planner = make(max_velocity=0.5, max_acceleration=5.0)
    followed = executed()
    made = planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), followed=followed, begin_ns=begin_after(6)))
    assert np.abs(np.diff(made.actions, axis=0)).max() <= 0.5 / 30 + 1e-5
    assert np.abs(np.diff(made.actions, n=2, axis=0)).max() <= 5.0 / 30**2 + 1e-5


def test_what_is_committed_counts_from_the_newest_frame_not_from_the_request(live):
    made = live[1].plan(window(3), PlanRequest(goal=GoalChoice(GOAL), followed=executed(), begin_ns=begin_after(9)))
    assert made.committed == 6
    np.testing.assert_array_equal(made.actions[:6], executed().actions[3:9])


def test_a_short_plan_that_is_followed_ends_in_its_last_action(live):
    made = live[1].plan(
        window(), PlanRequest(goal=GoalChoice(GOAL), followed=executed(frames=5), begin_ns=begin_after(9))
    )
    assert made.committed == 9
    np.testing.assert_array_equal(made.actions[4:9], np.repeat(executed(5).actions[-1:], 5, axis=0))


def test_a_begin_that_has_passed_commits_nothing(live):
    made = live[1].plan(window(9), PlanRequest(goal=GoalChoice(GOAL), followed=executed(), begin_ns=begin_after(4)))
    assert made.committed == 0


def test_a_begin_after_the_horizon_is_an_error_with_numbers(live):
    with pytest.raises(PlanTooLate, match=r"24 frames \(0\.80 s\).* got 30 frames \(1\.00 s\)"):
        live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), followed=executed(), begin_ns=begin_after(30)))


def test_a_begin_without_what_the_robot_does_until_then_is_rejected(live):
    with pytest.raises(BadActions, match="until the new plan begins"):
        live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), begin_ns=begin_after(4)))


def test_the_observed_cost_is_that_of_the_scene_0_at_the_goal_and_1_at_the_start(live):
    model, planner = live
    model.set_objective(Objective())
    scene = window()
    made = planner.plan(scene, PlanRequest(goal=GoalChoice(GOAL), observed_frames=1))
    assert made.observed_cost == pytest.approx(1.0, rel=1e-3)
    fulfilled = ContextWindow(np.tile(GOAL, (9, 1, 1, 1)), scene.actions, scene.stamps_ns + 10**9)
    model.set_goal(GOAL)
    planner.plan(scene, PlanRequest())
    assert planner.plan(fulfilled, PlanRequest(observed_frames=9)).observed_cost == pytest.approx(0.0, abs=1e-6)


def test_the_observed_cost_is_the_highest_of_the_newest_frames(live):
    model, planner = live
    model.set_objective(Objective())
    model.set_goal(GOAL)
    planner.plan(window(), PlanRequest())
    frames = np.concatenate([window().frames[:7], np.tile(GOAL, (2, 1, 1, 1))])
    mixed = ContextWindow(frames, window().actions, window().stamps_ns + 10**9)
    costs = [planner.plan(mixed, PlanRequest(observed_frames=count)).observed_cost for count in (0, 2, 3)]
    assert np.isnan(costs[0]) and costs[1] == pytest.approx(0.0, abs=1e-6) and costs[2] > 0.5


def test_without_a_term_that_compares_scenes_the_observed_cost_is_unknown(live):
    model, planner = live
    model.set_objective(Objective.parse({"goal_changes": {"weight": 0.0}, "lateness": {"weight": 0.1}}))
    assert np.isnan(planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), observed_frames=1)).observed_cost)


def test_actions_do_not_count_as_observed():
    _, planner = make()
    made = planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), observed_frames=1))
    assert made.plan.cost_of_holding > made.observed_cost + 0.1


def test_more_observed_frames_than_the_context_has_are_rejected(live):
    with pytest.raises(BadConfig, match="at most the 9 frames"):
        live[1].plan(window(), PlanRequest(goal=GoalChoice(GOAL), observed_frames=10))


class BusyClock(Clock):
    """Advances by the candidates that a model of this speed predicts."""

    def __init__(self, model, seconds_per_future):
        super().__init__()
        rollout = model.dynamics.rollout

        def timed(past, actions, last_latents):
            self.now += seconds_per_future * len(actions)
            return rollout(past, actions, last_latents)

        model.dynamics.rollout = timed


@pytest.mark.parametrize("seconds_per_future", [0.001, 0.01, 0.05])
def test_the_number_of_candidates_follows_the_speed_of_the_machine_and_the_deadline_holds(seconds_per_future):
    search = SearchConfig(proposals=40, refinements=1, variations=20, polish=False)
    live, planner = make(search)
    live.clock = clock = BusyClock(live, seconds_per_future)
    planner.warm_up()
    for _ in range(4):
        begun = clock.now
        made = planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=0.4))
        assert clock.now - begun <= 0.4
    expected = min(search.nominal_futures(first=True), 0.4 / seconds_per_future)
    assert expected / 3 <= made.plan.futures <= 1.3 * expected


def test_after_a_deadline_that_was_too_short_the_next_search_is_smaller():
    live, planner = make(SearchConfig(proposals=40, refinements=1, variations=20, polish=False))
    live.clock = BusyClock(live, 0.02)
    with pytest.raises(DeadlineTooShort):
        planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=0.4))  # its speed is not known
    assert planner.plan(window(), PlanRequest(goal=GoalChoice(GOAL), seconds=0.4)).plan.futures < 20
