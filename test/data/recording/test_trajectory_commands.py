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
