"""Commands of joint trajectories."""

import numpy as np
import pytest

from hwm_core.data.recording.trajectory_commands import TrajectoryCommands, TrajectoryPoints
from hwm_core.errors import BadActions

START = 1_700_000_000_000_000_000
NAMES = ("a", "b")


def points(seconds, values, start_ns=START):
    return TrajectoryPoints.read(NAMES, start_ns, seconds, [[v, -v] for v in values])


def taken(commands, until_s):
    return [
        (round((stamp - START) * 1e-9, 3), *np.round(row, 6))
        for stamp, _, row in commands.until(START + int(until_s * 1e9))
    ]


def test_commands_lead_straight_from_point_to_point_and_end_at_the_last_one():
    commands = TrajectoryCommands(10.0)
    commands.replace(START, points([0.0, 0.2, 0.4], [0, 2, 1]))
    assert taken(commands, 0.25) == [(0.0, 0, 0), (0.1, 1, -1), (0.2, 2, -2)]
    assert taken(commands, 5.0) == [(0.3, 1.5, -1.5), (0.4, 1, -1)]
    assert taken(commands, 9.0) == []


def test_a_newer_trajectory_replaces_the_rest_and_starts_from_the_newest_command():
    commands = TrajectoryCommands(10.0)
    commands.replace(START, points([0.0, 1.0], [0, 10]))
    taken(commands, 0.2)
    commands.replace(START + 300_000_000, points([0.2], [4], START + 300_000_000))
    assert taken(commands, 5.0) == [(0.3, 2, -2), (0.4, 3, -3), (0.5, 4, -4)]


def test_a_single_point_is_a_command_at_once():
    commands = TrajectoryCommands(10.0)
    commands.replace(START, points([0.0], [7]))
    assert taken(commands, 1.0) == [(0.0, 7, -7)]


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        ([], []),
        ([0.0], [[1.0]]),
        ([0.0, 0.0], [[1, 2], [1, 2]]),
        ([0.0], [[1.0, np.nan]]),
        ([0.0, 1.0], [[1, 2]]),
        ([1e9], [[1, 2]]),
    ],
)
def test_a_broken_trajectory_is_rejected(seconds, rows):
    with pytest.raises(BadActions, match="increasing times"):
        TrajectoryPoints.read(NAMES, START, seconds, rows)


def test_after_a_clock_reset_no_command_is_left():
    commands = TrajectoryCommands(10.0)
    commands.replace(START, points([0.0, 1.0], [0, 10]))
    commands.forget()
    assert taken(commands, 2.0) == []


@pytest.mark.parametrize("most", [1, 3, 5, 99])
def test_a_bound_leaves_out_the_oldest_commands_only(most):
    bounded, plain = TrajectoryCommands(10.0), TrajectoryCommands(10.0)
    for commands in (bounded, plain):
        commands.replace(START, points([0.0, 0.35, 1.0], [0, 7, 1]))
    for until_s in (0.45, 0.5, 3.0):
        now_ns = START + round(until_s * 1e9)
        few = [(stamp, *row) for stamp, _, row in bounded.until(now_ns, most)]
        assert few == [(stamp, *row) for stamp, _, row in plain.until(now_ns)][-most:]


def test_the_newest_commands_of_a_long_trajectory_cost_as_little_as_those_of_a_short_one(monkeypatch):
    made, interpolate = [], np.interp
    monkeypatch.setattr(np, "interp", lambda x, *rest: (made.append(np.size(x)), interpolate(x, *rest))[1])
    commands = TrajectoryCommands(120.0)
    commands.replace(START, points([0.0, 600.0], [0, 600]))
    found = list(commands.until(START + 600_000_000_000, most=50))
    assert len(found) == 50 and sum(made) == 50 * len(NAMES)
    assert found[-1][2] == pytest.approx([600.0, -600.0])
