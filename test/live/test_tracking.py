"""A robot follows while it is among its recent commands."""

import numpy as np
import pytest

from hwm_core.live.frame_rhythm import FrameRhythm
from hwm_core.live.search_speed import SearchSpeed
from hwm_core.live.tracking import Tracking
from hwm_core.planning.joint_space import JointSpace

SPACE = JointSpace.from_limits(("elbow", "wrist"), [-2, -2], [2, 2], [0.1, 0.1], 30.0, 3.0)


def ramp(seconds, speed=3.0, rate_hz=30):
    """The elbow is commanded from 0 at a constant speed."""
    tracking = Tracking(SPACE, tolerance=0.1, lag_s=0.3)
    tracking.restart(0.0, np.zeros(2))
    for k in range(1, round(seconds * rate_hz) + 1):
        tracking.commanded(k / rate_hz, np.array([speed * k / rate_hz, 0.0]))
    return tracking


@pytest.mark.parametrize(("lag_s", "follows"), [(0.0, True), (0.1, True), (0.29, True), (0.31, True), (0.4, False)])
def test_a_robot_may_lag_its_commands_by_the_allowed_time_and_tolerance(lag_s, follows):
    measured = np.array([3.0 * (1.0 - lag_s), 0.0])
    assert (ramp(1.0).fault(1.0, measured) == "") == follows


def test_a_blocked_robot_is_found_and_named_with_its_distance():
    reason = ramp(0.6, speed=2.0).fault(0.6, np.zeros(2))
    assert "`elbow`" in reason and "0.6" in reason and "tracking_tolerance" in reason


def test_a_robot_that_somebody_pushes_away_from_a_held_command_is_found():
    tracking = Tracking(SPACE, tolerance=0.1, lag_s=0.3)
    tracking.restart(0.0, np.zeros(2))
    assert tracking.fault(50.0, np.array([0.0, 0.09])) == ""
    assert "`wrist`" in tracking.fault(50.0, np.array([0.0, -0.11]))


def test_without_commands_there_is_no_deviation():
    assert Tracking(SPACE, 0.1, 0.3).fault(1.0, np.ones(2)) == ""


def test_what_is_kept_does_not_grow():
    tracking = ramp(100.0)
    assert len(tracking._commands) < 15


def test_the_rhythm_tells_how_much_slower_than_real_time_frames_come():
    for slowness in (0.5, 1.0, 2.5):
        rhythm = FrameRhythm()
        for k in range(100):
            rhythm.frame(k * slowness / 30, round(k * 1e9 / 30))
        assert rhythm.slowness == pytest.approx(max(1.0, slowness))


@pytest.mark.parametrize("slowness", [5.0, 15.0, 1000.0])
def test_stamps_that_advance_too_slowly_do_not_stretch_time_limits_without_bound(slowness):
    rhythm = FrameRhythm()
    for k in range(100):
        rhythm.frame(k / 30, round(k * 1e9 / 30 / slowness))
    assert rhythm.slowness == pytest.approx(5.0)


def test_a_pause_and_a_burst_change_the_rhythm_little():
    rhythm = FrameRhythm()
    at_s = 0.0
    for k in range(200):
        at_s += 2.0 if k == 100 else 0.002 if 101 <= k < 104 else 1 / 30
        rhythm.frame(at_s, round(k * 1e9 / 30))
    assert 1.0 <= rhythm.slowness < 1.3


def test_the_share_of_candidates_follows_the_measured_speed():
    speed = SearchSpeed()
    assert speed.share(0.4, 200) == 1.0, "unknown"
    speed.measured(0.1, 1.6, 16)
    assert speed.share(1.0, 200) == pytest.approx((0.8 - 0.1) / 0.1 / 200)
    for _ in range(20):
        speed.measured(0.01, 0.2, 200)
    assert speed.share(0.4, 200) == 1.0


def test_a_hopeless_deadline_still_leaves_a_share():
    speed = SearchSpeed()
    speed.measured(5.0, 1.0, 1)
    assert 0 < speed.share(0.4, 200) <= 0.02
