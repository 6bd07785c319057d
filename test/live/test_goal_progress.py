"""How a goal ends, and from where a plan may act. A fake clock, and frames of a model at 10 Hz."""

import math

import numpy as np
import pytest

from hwm_core.live.goal_progress import GoalProgress, MadePlan

RATE_HZ, HORIZON = 10.0, 12
START_NS = 4_000_000_000


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def stamp(frame):
    return START_NS + round(frame * 1e9 / RATE_HZ)


def goal(num_frames=0, threshold=0.0, deadline_s=0.35, clock=None):
    return GoalProgress(num_frames, threshold, RATE_HZ, HORIZON, deadline_s, clock or Clock())


def plan(frame, observed=math.nan, cost=0.5, holding=1.0, holds=False, steps=HORIZON):
    return MadePlan(stamp(frame), steps, cost, holding, observed, holds)


def outcome(progress):
    return None if progress.ending is None else (progress.ending.outcome, progress.ending.code)


def run(progress, frames, observed=math.nan, cost=0.5, latency=2, holds=False):
    """Frames and plans until the goal ends; the number of frames."""
    asked = None
    for frame in range(frames):
        if not progress.is_new(stamp(frame)) or progress.over:
            return frame
        if asked is not None and frame - asked >= latency:
            progress.add_plan(plan(asked, observed, cost, holds=holds))
            asked = None
        if asked is None and not progress.over:
            progress.begin_plan(stamp(frame))
            asked = frame
        progress.frame_done()
    return frames


def test_a_goal_by_duration_is_completed_never_reached_however_low_its_costs():
    progress = goal(num_frames=20)
    run(progress, 60, observed=0.0, cost=0.0)
    assert outcome(progress) == ("COMPLETED", "NONE") and progress.frames_done == 20


def test_a_predicted_cost_below_the_threshold_reaches_nothing():
    progress = goal(num_frames=20, threshold=0.3)
    run(progress, 60, observed=0.9, cost=0.0)
    assert outcome(progress) == ("ENDED", "NOT_REACHED")
    assert "0.9" in progress.ending.reason and "0.3" in progress.ending.reason


def test_an_observed_cost_below_the_threshold_reaches_the_goal():
    progress = goal(num_frames=20, threshold=0.3)
    assert run(progress, 60, observed=0.2) < 5
    assert outcome(progress) == ("REACHED", "NONE")


def test_a_goal_without_a_number_of_frames_runs_until_it_is_reached():
    progress = goal(threshold=0.3)
    run(progress, 500, observed=0.9)
    assert progress.ending is None and progress.frames_done > 400


def test_a_first_plan_that_holds_ends_the_goal_and_a_later_one_does_not():
    progress = goal(num_frames=50)
    run(progress, 60, holds=True)
    assert outcome(progress) == ("ENDED", "NO_MOTION") and progress.frames_done == 0
    progress = goal(num_frames=50)
    run(progress, 10)
    progress.add_plan(plan(8, holds=True))
    assert progress.ending is None


def test_a_goal_that_is_fulfilled_already_is_reached_where_no_motion_is_better():
    progress = goal(num_frames=50, threshold=0.3)
    run(progress, 60, observed=0.1, holds=True)
    assert outcome(progress) == ("REACHED", "NONE")


def test_the_first_ending_counts():
    progress = goal(num_frames=50)
    progress.end("STALE_JOINTS", "first")
    progress.end("CANCELED", "second")
    assert not progress.add_plan(plan(0)) and progress.plan is None
    assert (progress.ending.code, progress.ending.reason) == ("STALE_JOINTS", "first")


def test_a_plan_may_act_when_it_is_ready_first_by_the_deadline_then_by_the_searches_before():
    progress = goal(num_frames=500)
    assert progress.is_new(stamp(0)) and progress.begin_plan(stamp(0)) == stamp(5)  # 0.35 s are 4 frames, and 1 more
    for frame in range(1, 3):
        progress.is_new(stamp(frame))
    progress.add_plan(plan(0))
    assert progress.begin_plan(stamp(2)) == stamp(2 + 3)
    for frame in range(3, 8):
        progress.is_new(stamp(frame))
    progress.add_plan(plan(2))
    assert progress.plans_late == 1, "it was made for frame 5, and is ready at frame 7"
    assert progress.begin_plan(stamp(7)) == stamp(7 + 6), "the next one has that time"


def test_a_search_while_the_robot_stands_may_outlast_its_horizon_and_tells_nothing_about_others():
    clock = Clock()
    progress = goal(num_frames=500, clock=clock)
    progress.is_new(stamp(0))
    assert progress.begin_plan(stamp(0), standing_s=3.0) == 0, "the plan acts when it is ready"
    assert progress.is_new(stamp(2 * HORIZON))
    assert progress.add_plan(plan(2 * HORIZON)) and progress.plans_late == 0
    assert progress.begin_plan(stamp(2 * HORIZON)) == stamp(2 * HORIZON + 5), "by the deadline"


def test_a_search_that_gives_no_answer_though_the_robot_stands_is_an_error_with_numbers():
    clock = Clock()
    progress = goal(num_frames=500, clock=clock)
    progress.is_new(stamp(0))
    progress.begin_plan(stamp(0), standing_s=3.0)
    clock.now += 4.1
    assert progress.is_new(stamp(41)) and progress.ending is None, "its time and the length of a plan, 4.2 s"
    clock.now += 0.2
    progress.is_new(stamp(43))
    assert outcome(progress) == ("ENDED", "PLAN_LATE") and "4.30 s; allowed are 3 s" in progress.ending.reason


def test_at_most_three_quarters_of_the_horizon_are_committed():
    progress = goal(num_frames=500, deadline_s=1.19)
    progress.is_new(stamp(0))
    assert progress.begin_plan(stamp(0)) == stamp(9)


def test_in_lockstep_a_plan_acts_at_once():
    progress = goal(num_frames=500, deadline_s=0.0)
    progress.is_new(stamp(0))
    assert progress.begin_plan(stamp(0)) == 0


@pytest.mark.parametrize("answers", [True, False])
def test_a_search_that_outlasts_its_horizon_is_an_error_with_numbers(answers):
    clock = Clock()
    progress = goal(num_frames=500, clock=clock)
    progress.is_new(stamp(0))
    progress.begin_plan(stamp(0))
    for frame in range(1, HORIZON):
        clock.now += 0.1
        assert progress.is_new(stamp(frame)) and progress.ending is None
    clock.now += 0.1
    if answers:
        progress.newest_ns = stamp(HORIZON)
        assert not progress.add_plan(plan(0))
    else:
        progress.is_new(stamp(HORIZON))
    assert outcome(progress) == ("ENDED", "PLAN_LATE")
    assert "1.20 s" in progress.ending.reason


def test_a_slow_search_after_good_ones_ends_the_goal_too():
    progress = goal(num_frames=10_000)
    run(progress, 30)
    frames = run_without_answers(progress, first=30)
    assert outcome(progress)[1] == "PLAN_LATE" and frames <= HORIZON


def run_without_answers(progress, first):
    if not progress.planning:
        progress.begin_plan(stamp(first))
    for count in range(1, 100):
        progress.is_new(stamp(first + count))
        if progress.over:
            return count
    return 100


@pytest.mark.parametrize("code", ["BUSY", "TIMEOUT", "NO_CONTEXT"])
def test_a_search_that_failed_may_be_repeated_for_the_length_of_a_plan(code):
    progress = goal(num_frames=500)
    run(progress, 6)
    for frame in range(6, 13):
        progress.is_new(stamp(frame))
        progress.begin_plan(stamp(frame))
        assert progress.may_ask_again(code) and not progress.planning
    progress.is_new(stamp(40))
    assert not progress.may_ask_again(code)


def test_a_search_with_a_lasting_error_may_not_be_repeated():
    progress = goal(num_frames=500)
    run(progress, 6)
    assert not progress.may_ask_again("ROBOT_MISMATCH")


def test_a_clock_that_jumps_back_ends_the_goal_and_a_late_frame_does_not():
    progress = goal(num_frames=500)
    progress.is_new(stamp(20))
    assert not progress.is_new(stamp(18)) and not progress.is_new(stamp(20)) and progress.ending is None
    assert not progress.is_new(stamp(3))
    assert outcome(progress) == ("ENDED", "CLOCK_JUMP") and "1.70 s" in progress.ending.reason


def test_a_frame_without_a_command_is_new_when_the_robot_repeats_it():
    progress = goal(num_frames=500)
    assert progress.is_new(stamp(0))
    progress.expect_again()
    assert progress.is_new(stamp(0)) and not progress.is_new(stamp(0))


@pytest.mark.parametrize("seed", range(20))
def test_over_random_histories_a_goal_ends_once_and_only_observations_reach_it(seed):
    rng = np.random.default_rng(seed)
    clock = Clock()
    threshold = float(rng.choice([0.0, 0.3]))
    progress = goal(num_frames=int(rng.integers(1, 200)), threshold=threshold, clock=clock)
    asked, lowest, ending = None, math.inf, None
    for frame in range(300):
        clock.now += 0.1
        if progress.is_new(stamp(frame)):
            if asked is not None and rng.random() < 0.3:
                observed = float(rng.uniform(0, 1))
                lowest = min(lowest, observed) if ending is None else lowest
                if rng.random() < 0.2:
                    progress.may_ask_again("BUSY")
                    lowest = min(lowest, 1.0)
                else:
                    progress.add_plan(plan(asked, observed))
                asked = None
            elif asked is None:
                begin_ns = progress.begin_plan(stamp(frame))
                assert stamp(frame) < begin_ns < stamp(frame + HORIZON)
                asked = frame
            progress.frame_done()
        ending = ending or progress.ending
        assert progress.ending is ending
    assert ending is not None
    if ending.outcome == "REACHED":
        assert lowest < threshold
    if ending.outcome == "COMPLETED":
        assert threshold == 0


def test_a_threshold_without_an_observed_cost_ends_at_the_first_plan_before_any_motion():
    progress = goal(threshold=0.1)
    progress.is_new(stamp(0))
    progress.begin_plan(stamp(0))
    assert not progress.add_plan(plan(0, observed=math.nan))
    assert outcome(progress) == ("ENDED", "BAD_REQUEST")
    assert all(word in progress.ending.reason for word in ("expected", "got", "image term"))
