"""Plans are followed by frame stamp, within speed and joint limits."""

import numpy as np
import pytest
import torch

from hwm_core.planning.follower import PlanFollower
from hwm_core.planning.joint_space import JointSpace

RATE_HZ = 30.0
START = 5_000_000_000


def stamp(frame):
    return START + round(frame * 1e9 / RATE_HZ)


ONE = torch.ones(1)
SPACE = JointSpace(("joint",), -ONE, ONE, 3.0 * ONE, 1e4 * ONE, ONE, RATE_HZ)  # no limit of acceleration


@pytest.fixture
def follower():
    return PlanFollower(SPACE, replan_frames=3, start=np.zeros(1, np.float32))


def plan(*values):
    return np.array(values, np.float32)[:, None]


def test_without_a_plan_the_command_in_force_holds_and_a_plan_is_due(follower):
    assert follower.command(stamp(0)) == 0
    assert follower.due(stamp(0))


def test_each_frame_gets_its_own_action_and_the_last_action_is_held(follower):
    follower.adopt(stamp(0), plan(0.05, 0.1, 0.15))
    commands = [float(follower.command(stamp(frame))[0]) for frame in range(5)]
    np.testing.assert_allclose(commands, [0.05, 0.1, 0.15, 0.15, 0.15], atol=1e-6)


def test_a_plan_that_arrives_late_is_followed_from_the_current_frame(follower):
    follower.command(stamp(1))
    follower.adopt(stamp(0), plan(0.01, 0.02, 0.03, 0.04))
    assert follower.command(stamp(2)) == pytest.approx(0.03)


def test_no_command_moves_faster_than_the_speed_limit(follower):
    follower.adopt(stamp(0), plan(0.9, 0.9, 0.9, 0.9))
    assert [round(float(follower.command(stamp(frame))[0]), 6) for frame in (0, 1, 3)] == [0.1, 0.2, 0.3]


def test_after_a_pause_of_the_camera_the_command_is_one_step_from_the_last_one(follower):
    follower.adopt(stamp(0), plan(0.9, 0.9))
    follower.command(stamp(0))
    assert follower.command(stamp(60)) == pytest.approx(0.2)


def test_hold_stops_the_robot_and_the_old_plan_is_not_resumed(follower):
    follower.adopt(stamp(0), plan(0.1, 0.2, 0.3, 0.4, 0.5))
    assert follower.command(stamp(0)) == pytest.approx(0.1)
    follower.hold_from(stamp(1))
    assert [float(follower.command(stamp(frame))[0]) for frame in (1, 2, 3)] == pytest.approx([0.1, 0.1, 0.1])
    assert follower.due(stamp(3))


def test_a_plan_from_before_a_hold_is_not_followed(follower):
    follower.hold_from(stamp(2))
    follower.adopt(stamp(1), plan(0.1, 0.1, 0.1))
    assert follower.command(stamp(3)) == 0 and follower.due(stamp(3))
    follower.adopt(stamp(3), plan(0.1, 0.1))
    assert follower.command(stamp(4)) == pytest.approx(0.1)


def test_a_motion_goes_on_at_its_speed_and_after_a_pause_from_rest():
    slow = JointSpace(("joint",), -ONE, ONE, 3.0 * ONE, 30.0 * ONE, ONE, RATE_HZ)
    before, step = PlanFollower(slow, replan_frames=3, start=np.zeros(1)), 30 / RATE_HZ**2
    before.adopt(stamp(0), plan(0.9, 0.9, 0.9))
    before.command(stamp(0))
    made = before.continued(replan_frames=3)
    assert made.velocity == pytest.approx(step * RATE_HZ) and not made.follows
    made.adopt(stamp(1), plan(0.9, 0.9, 0.9))
    assert made.command(stamp(1)) == pytest.approx(3 * step)
    made.rest()
    assert made.command(stamp(2)) == pytest.approx(4 * step)


def test_a_motion_that_goes_on_keeps_its_commands_per_action_until_it_stands():
    before = slow_follower()
    before.adopt(stamp(0), feasible())
    for frame in range(6):
        before.command(stamp(frame))
    made = before.continued(replan_frames=3)
    made.set_camera_period(1 / 15)
    assert made.period_s == pytest.approx(1 / RATE_HZ)
    for frame in range(6, 20):
        made.command(stamp(frame))
    made.set_camera_period(1 / 15)
    assert made.velocity == 0 and made.period_s == pytest.approx(1 / 15)


def test_a_robot_outside_its_limits_stays_until_a_plan_leads_it_back_at_the_speed_limit():
    outside = PlanFollower(SPACE, replan_frames=3, start=np.array([1.25], np.float32))
    assert outside.command(stamp(0)) == pytest.approx(1.25)
    outside.adopt(stamp(1), plan(5.0, 5.0, 5.0, 0.95))
    commands = [float(outside.command(stamp(frame))[0]) for frame in range(1, 5)]
    np.testing.assert_allclose(commands, [1.15, 1.05, 1.0, 0.95], atol=1e-6)


def test_no_command_leaves_the_joint_limits(follower):
    follower.adopt(stamp(0), plan(*[5.0] * 30))
    assert max(float(follower.command(stamp(frame))[0]) for frame in range(30)) == 1.0


def test_a_plan_is_due_again_after_replan_frames(follower):
    follower.adopt(stamp(0), plan(0.0))
    assert [follower.due(stamp(frame)) for frame in range(5)] == [False, False, False, True, True]


SLOW = JointSpace(("joint",), -ONE, ONE, 3.0 * ONE, 20.0 * ONE, ONE, 15.0)  # a model at half the camera's rate


def slow_follower(start=0.0, period_s=1 / RATE_HZ):
    made = PlanFollower(SLOW, replan_frames=3, start=np.array([start], np.float32))
    made.set_camera_period(period_s)
    return made


def feasible(speed=0.08):
    """Positions at 15 Hz that speed up, keep their speed, and stop, within 20 units per second squared."""
    steps = np.minimum(np.minimum(np.arange(1, 13), np.arange(12, 0, -1)) * 0.04, speed)
    return plan(*np.cumsum(steps))


def test_commands_at_twice_the_models_rate_lead_straight_from_action_to_action():
    made, actions = slow_follower(), feasible()
    made.adopt(stamp(0), actions)
    commands = np.array([made.command(stamp(frame)) for frame in range(24)])[:, 0]
    ends = np.concatenate([[0], actions[:, 0]]).astype(np.float64)
    np.testing.assert_array_equal(commands[1::2], ends[1:])
    np.testing.assert_array_equal(commands[::2], (ends[:-1] - ends[1:]) * 0.5 + ends[1:])


def test_at_twice_the_models_rate_no_command_exceeds_the_limits_of_the_joints():
    made = slow_follower()
    made.adopt(stamp(0), plan(*[0.9] * 8))
    commands = [0.0, *(float(made.command(stamp(frame))[0]) for frame in range(8))]
    made.adopt(stamp(8), plan(*[-0.9] * 12))
    commands += [float(made.command(stamp(frame))[0]) for frame in range(8, 32)]
    assert np.abs(np.diff(commands)).max() <= 3.0 / RATE_HZ + 1e-6
    assert np.abs(np.diff(commands, n=2)).max() <= 20.0 / 15.0**2 / 2 + 1e-6
    assert min(commands) < -0.8


def test_a_plan_of_a_slow_model_is_due_after_frames_of_the_model():
    made = slow_follower()
    made.adopt(stamp(0), plan(0.0))
    assert [made.due(stamp(frame)) for frame in (0, 2, 4, 6)] == [False, False, False, True]


def test_after_a_lost_camera_frame_the_robot_catches_up_within_its_limits():
    made, actions = slow_follower(), feasible()
    made.adopt(stamp(0), actions)
    before = [float(made.command(stamp(frame))[0]) for frame in (0, 1, 2)]
    after = [float(made.command(stamp(frame))[0]) for frame in range(5, 24)]
    assert np.abs(np.diff([*before, *after])).max() <= 3.0 / RATE_HZ + 1e-6
    assert after[-1] == pytest.approx(actions[-1, 0], abs=1e-6)


def test_the_number_of_commands_a_frame_stays_while_the_robot_moves():
    made = slow_follower()
    made.adopt(stamp(0), feasible())
    made.command(stamp(0))
    made.set_camera_period(1 / 15)
    assert made.period_s == pytest.approx(1 / RATE_HZ)
    made.hold_from(stamp(1))
    for frame in range(1, 9):
        made.command(stamp(frame))
    made.set_camera_period(1 / 15)
    assert made.period_s == pytest.approx(1 / 15)


@pytest.mark.parametrize("commanded", [0, 1, 3])
def test_the_forecast_is_what_is_commanded_without_a_new_plan(commanded):
    made = slow_follower()
    made.adopt(stamp(0), feasible())
    for frame in range(4 + commanded):
        made.command(stamp(frame))
    ahead = made.forecast(stamp(4), 6, commanded)
    commands = [float(made.command(stamp(frame))[0]) for frame in range(4 + commanded, 16)]
    known = (commanded + 1) // 2
    np.testing.assert_allclose(ahead[known:, 0], ([0.0] * commanded + commands)[2 * known + 1 :: 2], atol=1e-6)


def test_an_unknown_camera_period_keeps_the_last_one():
    made = slow_follower()
    made.set_camera_period(0.0)
    made.adopt(stamp(0), plan(0.02))
    assert made.command(stamp(0)) == pytest.approx(0.01)
