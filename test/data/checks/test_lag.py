"""The lag of states to commands."""

import numpy as np
import pytest
from recordings import real_data

from hwm_core.data.checks.lag import estimate_lag
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.tables import read_table


@pytest.mark.parametrize("lag", [-3, 0, 2.5, 5])
def test_the_lag_from_command_to_state_is_found(lag):
    rng = np.random.default_rng(0)
    t = np.arange(400)

    def motion(shift):
        return np.stack([np.sin((t - shift) / 9), np.cos((t - shift) / 23 + 1), np.zeros(400)], axis=1)

    states = motion(lag) + rng.normal(scale=1e-3, size=(400, 3)) * [1, 1, 0]
    found = estimate_lag(states, motion(0))
    assert [one.column for one in found.joints] == [0, 1]
    assert all(abs(one.frames - lag) < 0.3 and one.correlation > 0.9 for one in found.joints)


def test_the_overall_lag_ignores_joints_that_follow_loosely():
    rng = np.random.default_rng(0)
    t = np.arange(400)
    commands = np.stack([np.sin(t / (9 + 2 * joint)) for joint in range(10)], axis=1)
    lags = np.array([4] * 3 + [11] * 5 + [2] * 2)  # arms, fingers, joints near rest
    states = np.stack([np.sin((t - lag) / (9 + 2 * joint)) for joint, lag in enumerate(lags)], axis=1)
    commands[:, 8:] *= 1e-3
    states[:, 8:] *= 1e-3
    # Noise as large as the motion over 5 frames halves the shared variance: a correlation of 0.7.
    scale = np.std(states[5:] - states[:-5], axis=0) / np.sqrt(2) * (lags != 4)
    found = estimate_lag(states + scale * rng.normal(size=states.shape), commands)
    assert len(found.joints) == 10 and abs(found.frames - 4) < 0.3


def test_without_motion_there_is_no_lag():
    assert estimate_lag(np.zeros((400, 2)), np.zeros((400, 2))) is None
    assert estimate_lag(np.zeros((10, 2)), np.ones((10, 2))) is None


@pytest.mark.realdata
def test_the_commands_of_g1_lead_by_4_or_5_frames_in_every_episode():
    dataset = open_lerobot(real_data("g1_yellow_bottle"))
    for number in dataset.episodes:
        table = read_table(dataset, number)
        states, commands = (np.array(table[key].to_pylist()) for key in ("observation.state", "action"))
        assert round(estimate_lag(states, commands).frames) in (4, 5), number
