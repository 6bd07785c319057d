"""Commands over random histories of goals, plans, pauses and restarts: no jump, all limits kept. A fake clock."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from hwm_core.errors import BadActions
from hwm_core.live.command import Command
from hwm_core.live.command_stream import CommandStream
from hwm_core.live.stream_config import StreamConfig
from hwm_core.planning.joint_space import JointSpace

MODEL_HZ = 15.0
JOINTS = 3
LOWER, UPPER = np.array([-1.0, -1.5, -0.2]), np.array([1.0, 1.5, 0.2])
SPEED, ACCELERATION = np.array([3.0, 1.0, 0.5]), np.array([20.0, 5.0, 4.0])
SPACE = JointSpace.from_limits(
    ("elbow", "wrist", "lift"), LOWER, UPPER, [0.1] * JOINTS, MODEL_HZ, SPEED, max_acceleration=ACCELERATION
)
SETTINGS = StreamConfig()
START_NS = 5_000_000_000


@dataclass
class Robot:
    """Follows commands at its own speed, and stops by itself when they cease."""

    position: np.ndarray
    target: np.ndarray
    commanded_s: float = -1e9
    blocked: bool = False

    def advance(self, now, seconds):
        if now - self.commanded_s > SETTINGS.command_timeout_s:
            self.target = self.position.copy()
        if not self.blocked:
            self.position = self.position + np.clip(self.target - self.position, -4 * seconds, 4 * seconds)

    def put(self, position):
        """Somebody moves the robot."""
        self.position = np.array(position, np.float64)
        self.target = self.position.copy()


@dataclass
class Bench:
    """A stream, a robot, a camera and a clock. `sent`: (time, command, measured position) of every command."""

    seed: int = 0
    camera_s: float = 1 / 30
    now: float = 100.0
    sent: list[tuple[float, Command, np.ndarray]] = field(default_factory=list)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        position = self.rng.uniform(LOWER, UPPER)
        self.robot = Robot(position, position.copy())
        self.stream = self.started()
        self.frame_s = self.now

    def started(self, sent_at_s=None):
        stream = CommandStream(SPACE, SETTINGS, lambda: self.now, sent_at_s)
        stream.set_shadow(False)
        stream.set_camera_period(self.camera_s)
        return stream

    @property
    def stamp_ns(self):
        return START_NS + round(1e9 * self.now)

    def give(self, command):
        if command is not None:
            self.sent.append((self.now, command, self.robot.position.copy()))
            if not self.stream.shadow:
                self.robot.target, self.robot.commanded_s = command.positions, self.now

    def run(self, seconds, joints=True, camera=True, timer=True, lost=0.0):
        """Time passes, in steps of 5 ms."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.005
            self.robot.advance(self.now, 0.005)
            if joints:
                self.stream.measured(self.now, self.stamp_ns, self.robot.position)
            if camera and self.now >= self.frame_s:
                self.frame_s = self.now + self.camera_s - 0.0025
                if self.rng.random() >= lost:
                    self.give(self.stream.frame(self.stamp_ns))
            if timer:
                self.give(self.stream.overdue())

    def plan(self, goal=None, frames=16):
        """A plan that may ask for anything: smooth, jumping, or far outside all limits."""
        rng = self.rng
        goal = rng.uniform(2 * LOWER, 2 * UPPER) if goal is None else np.asarray(goal)
        noise = rng.choice([0.0, 0.3]) * rng.normal(size=(frames, JOINTS))
        rows = np.linspace(self.robot.position, goal, frames) + noise
        self.stream.adopt(self.stamp_ns - int(rng.integers(0, 300_000_000)), rows.astype(np.float32))


def assert_safe(bench):
    """Every command is a step from the one before, within the limits; after a pause, from where the robot is."""
    ticks = max(1, round(1 / (bench.camera_s * MODEL_HZ)))
    period = 1 / (MODEL_HZ * ticks)
    fastest, change = SPEED * period + 1e-6, ACCELERATION / MODEL_HZ**2 / ticks + 1e-6
    before_s, before, step = -1e9, None, np.zeros(JOINTS)
    for now, command, measured in bench.sent:
        slack = 0.0
        assert now - before_s >= 0.5 * period, "two commands of one moment double the speed"
        if now - before_s > SETTINGS.command_timeout_s:  # the robot has stopped by itself
            before, step, slack = measured, np.zeros(JOINTS), 0.02
        elif now - before_s > 3.2 * period:  # it stands at the last command
            step = np.zeros(JOINTS)
        after = command.positions - before
        assert (np.abs(after) <= fastest + slack).all(), (now, after)
        assert (np.abs(after - step) <= change + slack).all(), (now, after, step)
        outside = np.maximum(LOWER - command.positions, command.positions - UPPER)
        assert (outside <= np.maximum(0, np.maximum(LOWER - before, before - UPPER)) + 1e-6).all()
        before_s, before, step = now, command.positions, after


def random_history(seed):
    bench = Bench(seed, camera_s=[1 / 30, 1 / 15, 1 / 10, 1 / 60][seed % 4])
    rng = bench.rng
    for _ in range(25):
        match int(rng.integers(0, 13)):
            case 0 | 1 | 2:
                bench.stream.begin(6)
            case 3 | 4 | 5:
                bench.plan()
            case 6:
                bench.stream.stop()
            case 7:
                bench.run(rng.uniform(0, 2), joints=rng.random() < 0.5, camera=False, timer=rng.random() < 0.5)
            case 8:
                bench.stream = bench.started(bench.now)  # a new process
            case 9:
                bench.robot.blocked = not bench.robot.blocked
            case 10:
                bench.stream.set_shadow(True)
                bench.run(rng.uniform(0, 0.3), timer=False, camera=False)
                bench.stream.set_shadow(False)
            case 11:
                bench.stream.drop_plan(bench.stamp_ns)
            case 12:
                bench.run(rng.uniform(0, 1.5), joints=False, camera=False, timer=False)  # the process hangs
                if bench.now - bench.robot.commanded_s > SETTINGS.command_timeout_s:
                    bench.robot.put(rng.uniform(LOWER, UPPER))
        bench.run(rng.uniform(0, 0.8), lost=rng.choice([0.0, 0.3]))
    return bench


@pytest.mark.parametrize("seed", range(24))
def test_no_command_of_a_random_history_jumps_or_exceeds_a_limit(seed):
    assert_safe(random_history(seed))


def test_random_histories_have_many_commands_and_move_fast():
    histories = [random_history(seed).sent for seed in range(4)]
    assert min(map(len, histories)) > 50
    steps = np.concatenate([np.diff([command.positions for _, command, _ in sent], axis=0) for sent in histories])
    assert (np.abs(steps).max(axis=0) > 0.9 * SPEED / MODEL_HZ).all()


def test_after_a_pause_in_which_the_robot_was_moved_the_first_command_is_where_it_is():
    bench = Bench()
    bench.robot.put([0.0, 0.0, 0.0])
    bench.stream.begin(6)
    bench.run(0.1)
    bench.stream.adopt(bench.stamp_ns, np.linspace([0.0, 0, 0], [0.59, 0, 0], 12).astype(np.float32))
    bench.run(1.0)
    bench.stream.stop()
    bench.run(3.0)
    assert bench.stream.silent and bench.sent[-1][1].positions[0] > 0.4
    bench.robot.put([0.0, 0.0, 0.0])
    bench.run(15.0)
    count = len(bench.sent)
    bench.stream.begin(6)
    bench.run(0.1)
    np.testing.assert_allclose(bench.sent[count][1].positions, 0.0, atol=1e-9)
    assert_safe(bench)


def moving(blocked=False):
    """A robot in the middle of a fast motion of its elbow."""
    bench = Bench()
    bench.robot.put([-0.9, 0.0, 0.0])
    bench.robot.blocked = blocked
    bench.stream.begin(6)
    bench.run(0.1)
    bench.stream.adopt(bench.stamp_ns, np.linspace([-0.9, 0, 0], [0.9, 0, 0], 12).astype(np.float32))
    bench.run(0.4)
    return bench


def test_a_goal_that_ends_slows_the_robot_down_holds_and_falls_silent():
    bench = moving()
    end, count = bench.now, len(bench.sent)
    bench.stream.stop()
    bench.run(3.0)
    steps = np.diff([command.positions[0] for _, command, _ in bench.sent[count - 2 :]])
    assert steps[0] > 0.05 and (np.diff(steps) <= 1e-9).all() and steps[-1] == 0
    stopped = [now for (now, *_), step in zip(bench.sent[count - 1 :], steps, strict=True) if step > 0][-1]
    assert stopped - end < 0.25
    assert bench.sent[-1][0] - stopped == pytest.approx(SETTINGS.hold_s, abs=0.1)
    assert bench.stream.silent
    assert_safe(bench)


def test_a_goal_that_begins_while_the_last_command_holds_goes_on_from_it():
    bench = moving()
    bench.stream.stop()
    bench.run(0.05)
    last, count = bench.sent[-1][1].positions, len(bench.sent)
    bench.stream.begin(6)
    bench.run(0.1)
    assert len(bench.sent) > count and np.abs(bench.sent[-1][1].positions - last).max() < 0.3
    assert_safe(bench)


@pytest.mark.parametrize("camera", [True, False])
def test_a_goal_that_ends_before_its_first_command_does_not_cut_off_the_braking(camera):
    bench = moving()
    bench.stream.stop()
    bench.run(0.01, camera=False)
    assert not bench.stream.at_rest
    bench.stream.begin(6)
    if camera:  # it ends at once; without a camera, it goes on and no frame comes
        bench.stream.stop()
    count = len(bench.sent)
    bench.run(0.6, camera=False)
    assert len(bench.sent) > count + 3 and bench.stream.at_rest
    assert (np.diff([command.positions[0] for _, command, _ in bench.sent[count - 2 :]], n=2) <= 1e-9).all()
    assert_safe(bench)


def test_a_goal_that_begins_right_after_a_command_does_not_send_the_next_one_too_early():
    bench = moving()
    last_s, count = bench.sent[-1][0], len(bench.sent)
    bench.stream.stop()
    bench.stream.begin(6)
    bench.now = last_s + 0.3 / 30
    assert bench.stream.frame(bench.stamp_ns) is None
    bench.run(0.1)
    assert 0.5 / 30 <= bench.sent[count][0] - last_s <= 1.6 / 30
    assert_safe(bench)


@pytest.mark.parametrize("back_s", [2.0, 60.0])
def test_after_a_clock_that_was_set_back_the_forecast_begins_at_the_newest_command(back_s):
    bench = moving()
    newest = bench.sent[-1][1]
    bench.stream.stop()
    bench.stream.begin(6)
    forecast = bench.stream.forecast(newest.stamp_ns - round(1e9 * back_s), 4, before=2)
    np.testing.assert_allclose(forecast[:2], [newest.positions] * 2, atol=1e-6)


def test_a_last_command_that_the_robot_does_not_follow_is_waited_out():
    bench = moving(blocked=True)
    bench.run(0.3)
    assert "`elbow`" in bench.stream.fault
    bench.stream.stop()
    bench.run(0.1)
    last_s, count = bench.sent[-1][0], len(bench.sent)
    bench.stream.begin(6)
    bench.run(1.0)
    first_s, first, _ = bench.sent[count]
    assert first_s - last_s > SETTINGS.command_timeout_s
    np.testing.assert_allclose(first.positions, bench.robot.position, atol=1e-9)


def test_a_robot_that_lags_by_less_than_the_allowed_time_follows():
    assert moving().stream.fault == ""


@pytest.mark.parametrize(("slowness", "follows"), [(1.0, False), (2.5, True)])
def test_a_lag_counts_on_the_clock_of_the_robot_which_a_slow_simulation_stretches(slowness, follows):
    bench = Bench()
    bench.robot.put([-0.9, 0.0, 0.0])
    bench.stream.begin(6)
    stamp_ns = START_NS
    for frame in range(60):  # they arrive `slowness` times as slowly; the robot lags by 0.6 s of wall time
        bench.now += slowness / 30
        stamp_ns += round(1e9 / 30)
        lagging = [command.positions for now, command, _ in bench.sent if now <= bench.now - 0.6]
        bench.stream.measured(bench.now, stamp_ns, lagging[-1] if lagging else bench.robot.position)
        if frame == 38:
            bench.stream.adopt(stamp_ns, np.linspace([-0.9, 0, 0], [0.9, 0, 0], 10).astype(np.float32))
        bench.give(bench.stream.frame(stamp_ns))
    assert (bench.stream.fault == "") == follows


def test_lost_frames_do_not_stop_the_motion_but_a_lost_camera_does():
    bench = moving()
    count = len(bench.sent)
    bench.run(0.3, camera=False)
    assert len(bench.sent) - count >= 7
    bench.run(1.0, camera=False)
    assert bench.stream.at_rest and not bench.stream.silent, "the watchdog of the camera ends the goal"
    assert_safe(bench)


def test_a_late_frame_whose_command_was_sent_by_the_timer_gets_no_second_one():
    bench = moving()
    bench.run(0.1, camera=False)
    assert bench.stream.frame(bench.sent[-1][1].stamp_ns + 2_000_000) is None


def test_frames_that_waited_while_the_process_paused_do_not_hurry_the_robot():
    bench = moving()
    bench.run(0.4, joints=False, camera=False, timer=False)
    period_ns, count, resumed = round(1e9 / 30), len(bench.sent), bench.now
    for frame in range(10):
        bench.now += 0.001
        bench.give(bench.stream.frame(bench.stamp_ns - (9 - frame) * period_ns))
        bench.give(bench.stream.overdue())
    bench.run(0.3)
    times = np.array([now for now, *_ in bench.sent[count:]])
    assert np.diff(times).min() >= 0.5 / 30
    assert len(times) == pytest.approx(30 * (bench.now - resumed), abs=2), "and none is left out"
    assert_safe(bench)


def test_in_lockstep_every_frame_has_its_command_however_soon_it_comes():
    stream = CommandStream(SPACE, SETTINGS, lambda: 100.0, lockstep=True)
    stream.set_shadow(False)
    stream.set_camera_period(1 / 30)
    stream.measured(100.0, START_NS, np.zeros(JOINTS))
    stream.begin(6)
    assert all(stream.frame(START_NS + round(k * 1e9 / 30)) is not None for k in range(4))


def test_a_process_that_hangs_starts_again_where_the_robot_is():
    bench = moving()
    bench.run(0.02, camera=False, timer=False)  # the robot lags its last command
    stopped, count = bench.robot.position.copy(), len(bench.sent)
    bench.robot.put(stopped)
    bench.run(2.0, joints=False, camera=False, timer=False)
    bench.run(0.1)
    np.testing.assert_allclose(bench.sent[count][1].positions, stopped, atol=1e-9)


@pytest.mark.parametrize("blocked", [True, False])
def test_a_robot_that_is_not_where_it_was_commanded_does_not_start_again_after_a_process_has_hung(blocked):
    bench = moving(blocked)
    bench.run(0.3, joints=False)  # no joint state shows it before the process hangs
    bench.run(2.0, joints=False, camera=False, timer=False)
    if not blocked:
        bench.robot.put([-0.5, 0.3, 0.1])  # somebody has moved it
    count = len(bench.sent)
    bench.run(1.0)
    assert "does not follow" in bench.stream.fault and len(bench.sent) == count


def test_no_command_is_given_while_the_position_of_the_robot_is_unknown_or_old():
    bench = Bench()
    bench.stream.begin(6)
    bench.run(1.0, joints=False)
    assert not bench.sent
    bench.stream.measured(bench.now, bench.stamp_ns - 2_000_000_000, bench.robot.position)  # an old stamp
    bench.run(0.2, joints=False)
    assert not bench.sent
    bench.run(0.2)
    assert bench.sent


def test_a_shadow_starts_every_plan_where_the_robot_is_and_is_never_a_fault():
    bench = Bench()
    bench.stream.set_shadow(True)
    bench.stream.begin(6)
    bench.run(0.1)
    for _ in range(3):
        bench.plan([0.9, 0.9, 0.1])
        count = len(bench.sent)
        bench.run(0.4)
        first = bench.sent[count][1].positions - bench.robot.position
        assert (np.abs(first) <= SPEED / 30 + 1e-6).all()
        assert bench.stream.fault == ""
    forecast = bench.stream.forecast(bench.stamp_ns, 4)
    np.testing.assert_allclose(forecast, np.tile(bench.robot.position, (4, 1)), atol=1e-6)
    bench.stream.stop()
    assert bench.stream.silent, "nothing moves"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_plan_that_is_not_finite_is_rejected_and_the_old_one_is_followed(value):
    bench = moving()
    actions = np.zeros((12, JOINTS), np.float32)
    actions[5, 1] = value
    with pytest.raises(BadActions, match="finite"):
        bench.stream.adopt(bench.stamp_ns, actions)
    bench.run(0.2)
    assert np.isfinite(bench.sent[-1][1].positions).all()


@pytest.mark.parametrize("period_s", [1e-9, 1e9, -1.0, np.nan, np.inf])
def test_no_camera_period_stops_or_hurries_the_stream(period_s):
    bench = Bench()
    bench.stream.set_camera_period(period_s)
    bench.stream.begin(6)
    bench.run(0.3)
    assert 2 <= len(bench.sent) <= 70
    bench.stream.forecast(bench.stamp_ns, 24)


def test_switching_commands_off_acts_at_once():
    bench = moving()
    bench.stream.set_shadow(True)
    before = bench.stream.sent_at_s
    bench.run(0.5)
    assert bench.stream.sent_at_s == before, "no command has reached the robot"


def test_the_forecast_is_what_is_sent_without_a_new_plan():
    bench = moving()
    period_ns = 1e9 / 30
    stamp_ns = bench.sent[-1][1].stamp_ns + round(period_ns)
    ahead = bench.stream.forecast(stamp_ns, 4)
    bench.now += 1e-9 * period_ns
    first = bench.stream.frame(stamp_ns)
    half_sent = bench.stream.forecast(stamp_ns, 4)
    sent = [first]
    for k in range(1, 8):
        bench.now += 1e-9 * period_ns
        sent.append(bench.stream.frame(stamp_ns + round(k * period_ns)))
    expected = np.array([command.positions for command in sent])[1::2]
    np.testing.assert_allclose(ahead, expected, atol=1e-6)
    np.testing.assert_allclose(half_sent, expected, atol=1e-6)


def test_the_forecast_begins_with_what_was_sent_in_the_frames_before():
    bench = moving()
    stamp_ns = bench.sent[-1][1].stamp_ns + round(1e9 / 30)
    whole = bench.stream.forecast(stamp_ns, 6, before=2)
    np.testing.assert_allclose(whole[2:], bench.stream.forecast(stamp_ns, 4), atol=1e-6)
    np.testing.assert_allclose(whole[1], bench.sent[-1][1].positions, atol=1e-6)
    np.testing.assert_allclose(whole[0], bench.sent[-3][1].positions, atol=1e-6)


def test_the_timer_serves_a_frame_before_the_command_before_is_not_fresh_any_more():
    now = 100.0
    stream = CommandStream(SPACE, SETTINGS, lambda: now)
    stream.set_shadow(False)
    stream.begin(4)
    times = []
    for tick in range(300):
        now = 100.0 + 0.01 * tick
        stream.measured(now, 0, np.zeros(JOINTS))
        commands = [stream.overdue()]
        if tick % 7 == 0:  # a camera whose stamps advance 50 times too slowly
            commands.append(stream.frame(START_NS + round(1e9 * 0.01 * tick / 50)))
        times += [now for command in commands if command is not None]
    assert len(times) > 6
    assert max(np.diff([*times, now])) < SETTINGS.command_timeout_s
