"""Joint values at any stamp, from joint messages."""

import tracemalloc

import numpy as np
import pytest

from hwm_core.data.recording.joints import JointTrack
from hwm_core.errors import BadActions, RobotMismatch

MS = 1_000_000
START = 1_700_000_000_000_000_000  # a current time: too large for nanosecond precision in float64


def track(count=5, spacing=10 * MS, **options):
    """Joints a and b are (i, -i) at START + i * spacing."""
    made = JointTrack(["a", "b"], **options)
    for i in range(count):
        made.append(START + i * spacing, ["a", "b"], [i, -i])
    return made


def test_states_between_two_entries_are_interpolated_to_the_nanosecond():
    stamps = START + np.array([0, 5, 12, 40]) * MS
    assert np.allclose(track().at(stamps), [[0, 0], [0.5, -0.5], [1.2, -1.2], [4, -4]], atol=1e-7)
    one_ns = JointTrack(["a"])
    one_ns.append(START, ["a"], [0.0])
    one_ns.append(START + 4, ["a"], [4.0])
    assert one_ns.at([START + 1, START + 3])[:, 0].tolist() == [1.0, 3.0]


def test_a_command_is_in_force_from_the_nanosecond_after_it_was_issued():
    stamps = [START + 1, START + 10 * MS, START + 10 * MS + 1, START + 10**15]
    assert track().before(stamps)[:, 0].tolist() == [0, 0, 1, 4]
    assert track().covers_before([START - 1, START, START + 1]).tolist() == [False, False, True]
    with pytest.raises(BadActions, match="an earlier entry"):
        track().before([START])


def test_states_are_not_extrapolated_beyond_the_ends_or_over_a_pause():
    made = track()
    made.append(START + 1000 * MS, ["a", "b"], [9, 9])
    stamps = START + np.array([-1, 0, 40, 41, 999, 1000, 1001]) * MS
    assert made.covers(stamps).tolist() == [False, True, True, False, False, True, False]
    with pytest.raises(BadActions, match="both sides"):
        made.at(stamps)
    assert not JointTrack(["a"]).covers([START]).any()


def test_the_ends_hold_for_the_given_time():
    made = track(hold_s=0.02)
    stamps = START + np.array([-20, 60]) * MS
    assert made.at(stamps)[:, 0].tolist() == [0, 4]
    assert made.covers(START + np.array([-21, 61]) * MS).tolist() == [False, False]


def test_joints_are_matched_by_name_when_order_and_other_joints_change():
    made = JointTrack(["b", "a"])
    made.append(START, ["a", "b"], [1, 2])
    made.append(START + MS, ["c", "b", "a"], [9, 4, 3])
    assert made.at([START, START + MS]).tolist() == [[2, 1], [4, 3]]


def test_late_entries_are_left_out_and_an_entry_at_the_newest_stamp_replaces_it():
    made = track()
    assert made.append(START + 39 * MS, ["a", "b"], [99, 99]) == "late"
    assert made.append(START + 40 * MS, ["a", "b"], [8, 8]) == ""
    assert made.at([START + 40 * MS]).tolist() == [[8, 8]]
    assert len(made) == 5


def test_a_backward_clock_jump_discards_earlier_entries():
    made = track()
    assert made.is_jump(START - 1000 * MS)
    assert made.append(START - 1000 * MS, ["a", "b"], [7, 7]) == "jump"
    assert (made.jumps, len(made), made.newest_ns) == (1, 1, START - 1000 * MS)


def test_a_step_back_of_less_than_a_second_is_a_clock_jump_when_the_next_message_goes_on_from_there():
    made = track()
    assert made.append(START - 150 * MS, ["a", "b"], [7, 7]) == "late"
    assert made.append(START - 140 * MS, ["a", "b"], [8, 8]) == "jump"
    assert (len(made), made.newest_ns) == (1, START - 140 * MS)


@pytest.mark.parametrize("late_ms", [50, 150, 900])
def test_one_late_message_costs_itself_alone(late_ms):
    made = track()
    for i in range(5, 8):
        assert made.append(START + (10 * i - late_ms) * MS, ["a", "b"], [99, 99]) == "late"
        assert made.append(START + 10 * i * MS, ["a", "b"], [i, -i]) == ""
    assert (len(made), made.jumps) == (8, 0)


def test_the_ends_hold_for_observed_periods_but_not_over_a_pause():
    made = track(spacing=100 * MS, hold_periods=1.5)
    assert made.covers(START + np.array([550, 551]) * MS).tolist() == [True, False]
    slow = track(spacing=190 * MS, hold_periods=1.5)
    assert slow.covers(START + np.array([4 * 190 + 200, 4 * 190 + 201]) * MS).tolist() == [True, False]


@pytest.mark.parametrize("capacity", [1, 7, 100])
def test_a_ring_buffer_gives_the_values_of_the_whole_track_within_its_span(capacity):
    ring, whole = track(250, capacity=capacity), track(250)
    assert len(ring) == capacity
    assert np.array_equal(ring.stamps_ns, whole.stamps_ns[-capacity:])
    inside = ring.stamps_ns[0] + np.linspace(0, ring.stamps_ns[-1] - ring.stamps_ns[0], 31).astype(np.int64)
    assert np.array_equal(ring.at(inside), whole.at(inside))


def test_a_ring_buffer_does_not_grow():
    ring = track(1000, capacity=100)
    tracemalloc.start()
    for i in range(1000, 20000):
        ring.append(START + i * MS, ["a", "b"], [i, i])
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000  # 19,000 entries of 24 bytes would be 456,000


@pytest.mark.parametrize(
    ("names", "positions", "fault", "words"),
    [
        (["a", "b"], [0, np.nan], BadActions, "NaN or infinity for b"),
        (["a", "b"], [np.inf, 0], BadActions, "NaN or infinity for a"),
        (["a", "b"], [0, -1e30], BadActions, r"more than 1e\+06 for b"),
        (["a", "b"], [0], BadActions, "2 positions"),
        (["a", "b"], [], BadActions, "2 positions"),
        (["a", "b", "a"], [0, 0, 9], RobotMismatch, "a more than once"),
        (["a", "B"], [0, 0], RobotMismatch, "`b`|among them b"),
        ([], [], RobotMismatch, "among them a, b"),
    ],
)
def test_a_bad_message_is_rejected_and_changes_nothing(names, positions, fault, words):
    made = track()
    with pytest.raises(fault, match=words):
        made.append(START + 50 * MS, names, positions)
    assert len(made) == 5


def test_a_joint_that_is_wanted_twice_is_rejected():
    with pytest.raises(RobotMismatch, match="a more than once"):
        JointTrack(["a", "a"]).append(START, ["a", "b"], [0, 0])


def test_unused_joints_may_be_nan():
    made = JointTrack(["a"])
    made.append(START, ["a", "b"], [1, np.nan])
    assert made.at([START]).tolist() == [[1]]
