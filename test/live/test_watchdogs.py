"""Each input that stops is found within its time limit, by its own kind of fault. A fake clock."""

import pytest

from hwm_core.live.watchdogs import WatchdogConfig, Watchdogs

SETTINGS = WatchdogConfig(max_goal_s=30.0)


class Bench:
    """Everything arrives at 20 Hz, but for what has stopped."""

    def __init__(self, lockstep=False):
        self.now = 7.0
        self.watchdogs = Watchdogs(SETTINGS, lockstep, lambda: self.now)

    def run(self, seconds, *stopped, frozen=(), ready=True, planning=False):
        """The fault, and after which time it was found."""
        begun = self.now
        while self.now < begun + seconds:
            self.now += 0.05
            for what in ("joints", "camera"):
                if what not in stopped:
                    self.watchdogs.arrived(what, 1 if what in frozen else round(1e9 * self.now))
            if "status" not in stopped:
                self.watchdogs.status(ready)
            if "client" not in stopped:
                self.watchdogs.client()
            if (fault := self.watchdogs.fault(planning)) is not None:
                return fault.kind, self.now - begun
        return None, self.now - begun

    def faults(self):
        """Two looks: the first one after a pause blames no input."""
        return [self.watchdogs.fault(False) for _ in range(2)]


def test_nothing_is_found_while_all_arrives():
    assert Bench().run(20.0)[0] is None


@pytest.mark.parametrize(
    ("stopped", "kind", "limit_s"),
    [
        (["joints"], "STALE_JOINTS", SETTINGS.joints_timeout_s),
        (["camera"], "STALE_CAMERA", SETTINGS.camera_timeout_s),
        (["status"], "WORLD_MODEL_GONE", SETTINGS.model_timeout_s),
        (["camera", "status"], "WORLD_MODEL_GONE", SETTINGS.model_timeout_s),
        (["client"], "CLIENT_GONE", 1.0),
        (["joints", "camera", "status"], "STALE_JOINTS", SETTINGS.joints_timeout_s),
    ],
)
def test_what_stops_is_found_in_time(stopped, kind, limit_s):
    bench = Bench()
    bench.run(1.0)
    found, seconds = bench.run(5.0, *stopped)
    assert found == kind
    assert limit_s < seconds < limit_s + 0.11


@pytest.mark.parametrize(("frozen", "kind"), [("joints", "STALE_JOINTS"), ("camera", "STALE_CAMERA")])
def test_messages_whose_stamp_stands_still_do_not_count(frozen, kind):
    bench = Bench()
    bench.run(1.0)
    bench.run(0.1, frozen=[frozen])
    found, seconds = bench.run(5.0, frozen=[frozen])
    assert (found, seconds < 0.7) == (kind, True)


def test_a_world_model_that_ends_after_a_report_without_a_new_frame_is_gone_not_the_camera():
    bench = Bench()
    bench.run(1.0)
    bench.run(0.1, "camera")
    found, _ = bench.run(5.0, "camera", "status")
    assert found == "WORLD_MODEL_GONE"


def test_an_interruption_between_two_readings_of_the_clock_does_not_blame_the_camera():
    now, step = [7.0], 0.0

    def clock():
        now[0] += step
        return now[0]

    watchdogs, fault = Watchdogs(SETTINGS, False, clock), None
    watchdogs.status(True)
    watchdogs.arrived("camera", 1)
    step = 0.005
    while fault is None:
        now[0] += 0.05
        watchdogs.arrived("joints", round(1e9 * now[0]))
        watchdogs.client()
        fault = watchdogs.fault(False)
    assert fault.kind == "WORLD_MODEL_GONE"


def test_after_a_pause_of_the_process_what_has_waited_is_read_before_an_input_is_blamed():
    bench = Bench()
    bench.run(1.0)
    bench.now += 3.0
    bench.watchdogs.client()
    assert bench.watchdogs.fault(False) is None, "nothing was read for 3 s"
    assert bench.run(5.0)[0] is None


def test_a_process_that_pauses_before_every_look_still_finds_what_has_stopped():
    bench = Bench()
    kinds = []
    for _ in range(4):
        bench.now += 0.6
        bench.watchdogs.client()
        fault = bench.watchdogs.fault(False)
        kinds.append(fault and fault.kind)
    assert kinds == [None, "STALE_JOINTS", None, "STALE_JOINTS"]


def test_messages_without_a_stamp_count():
    bench = Bench()
    assert bench.watchdogs.arrived("joints", 0)
    bench.now += 0.01
    assert bench.watchdogs.arrived("joints", 0)


def test_a_context_that_stays_incomplete_ends_the_goal_but_single_frames_do_not():
    bench = Bench()
    for _ in range(10):
        assert bench.run(0.2, ready=False)[0] is None
        assert bench.run(0.1)[0] is None
    found, seconds = bench.run(20.0, ready=False)
    assert found == "TIMEOUT" and seconds == pytest.approx(SETTINGS.frame_timeout_s, abs=0.2)


def test_a_goal_ends_after_its_longest_time_and_the_next_goal_counts_again():
    bench = Bench()
    found, seconds = bench.run(60.0)
    assert found == "GOAL_TIME" and seconds == pytest.approx(30.0, abs=0.2)
    bench.watchdogs.begin()
    assert bench.run(20.0)[0] is None


def test_while_the_goal_waits_for_inputs_only_its_time_and_its_client_count():
    bench = Bench()
    bench.now += 5.0
    bench.watchdogs.client()
    assert bench.watchdogs.time_fault() is None and bench.faults()[-1] is not None
    bench.watchdogs.run()
    assert bench.watchdogs.fault(False) is None


def test_in_lockstep_only_frames_count_and_not_during_a_search():
    bench = Bench(lockstep=True)
    assert bench.run(15.0, "joints", "status", "camera", planning=True)[0] is None
    found, _ = bench.run(1.0, "joints", "status", "camera")
    assert found == "TIMEOUT"


def test_the_reason_names_what_is_wrong_with_the_newest_joint_state():
    bench = Bench()
    bench.watchdogs.rejected = "`elbow` is NaN."
    bench.now += 1.0
    fault = bench.faults()[-1]
    assert "1.00 s" in fault.reason and "`elbow` is NaN" in fault.reason


def test_messages_without_a_stamp_count_by_the_arrival_of_their_oldest_value():
    bench = Bench()
    at_s = bench.now - 0.1
    assert bench.watchdogs.arrived("joints", 0, at_s)
    for _ in range(50):
        bench.now += 0.05
        assert not bench.watchdogs.arrived("joints", 0, at_s), "a message of other joints"
        bench.watchdogs.arrived("camera", round(1e9 * bench.now))
        bench.watchdogs.status(True)
        bench.watchdogs.client()
        if (fault := bench.watchdogs.fault(False)) is not None:
            break
    assert fault.kind == "STALE_JOINTS"
    assert SETTINGS.joints_timeout_s < bench.now - at_s < SETTINGS.joints_timeout_s + 0.11


def test_joint_states_whose_stamps_become_zero_are_found_when_they_stop():
    bench = Bench()
    bench.run(1.0)
    bench.watchdogs.arrived("joints", 0, bench.now)
    stopped_s = bench.now
    for _ in range(12):
        bench.now += 0.05
        bench.watchdogs.arrived("joints", 0, stopped_s)
    assert bench.faults()[-1].kind == "STALE_JOINTS"
