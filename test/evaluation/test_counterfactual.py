"""The actions of the conditions `shuffled`, `zero` and `reversed`, and the choice of donors."""

import numpy as np
import pytest
from known_world import EPISODES, FUTURE, MANIFEST, PAST, PerfectWorld, episode, evaluate, ramp

from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadBag
from hwm_core.evaluation.windows import EvaluationWindows, donor_windows
from hwm_core.types import Episode


def test_shuffled_actions_start_from_the_windows_own_state() -> None:
    windows = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=5)
    shuffled = windows.shuffled_actions([0], [6])  # to the first window of "up" from the first window of "down"
    # Newest own command: 8 * 0.02 = 0.16; the donor falls by 0.02 a frame, and 0 is the joint's limit
    expected = np.clip(0.16 - 0.02 * np.arange(1, 25), 0.0, None)
    np.testing.assert_allclose(shuffled[0, :, 0], expected, atol=1e-6)


def test_held_actions_repeat_the_newest_and_reversed_actions_play_the_own_motion_backwards() -> None:
    windows = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=5)
    # The third window of "up" begins at frame 10; its newest action is 18 * 0.02 = 0.36, and it rises by 0.02 a frame
    assert np.allclose(windows.held_actions([2])[0, :, 0], 0.36)
    expected = np.clip(0.36 - 0.02 * np.arange(1, 25), 0.0, None)
    np.testing.assert_allclose(windows.reversed_actions([2])[0, :, 0], expected, atol=1e-6)


def test_the_donor_is_a_window_of_another_episode() -> None:
    windows = EvaluationWindows([*EPISODES, episode("third", ramp(60))], MANIFEST, PAST, FUTURE, stride=5)
    assert (windows.episode[donor_windows(windows, seed=0)] != windows.episode).all()


UNION = fit_manifest("two", "commands", ("slide", "lift", "neck_yaw"), ("m", "m", "rad"), np.eye(3))


def of_robot(name: str, lacks: str, count: int = 60) -> Episode:
    """A run of one of two robots; the joint that it lacks is NaN."""
    values = np.stack([ramp(count)] * 3, axis=1).astype(np.float32)
    values[:, UNION.names.index(lacks)] = np.nan
    return episode(name, ramp(count), names=UNION.names, commands=values)


def test_the_donor_has_a_robot_with_the_same_joints() -> None:
    episodes = [of_robot(name, lacks) for name, lacks in zip("abcde", ["lift", "slide", "lift", "slide", "slide"])]
    windows = EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    assert (windows.episode[donors] != windows.episode).all()
    shuffled = windows.shuffled_actions(range(len(windows)), donors)
    assert np.array_equal(np.isnan(shuffled), np.isnan(windows.actions(range(len(windows)))[:, PAST:]))


def test_the_donor_for_a_robot_with_one_episode_is_another_time_in_it() -> None:
    episodes = [of_robot("a", "lift"), of_robot("b", "lift"), of_robot("alone", "slide", 80)]
    windows = EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    assert set(windows.episode[donors[windows.episode == 2]]) == {2} and (donors != np.arange(len(windows))).all()
    # 80 frames hold windows of 33 at 0 .. 45. A window up to 10 or from 35 on has one that shares no frame with it.
    at = np.flatnonzero((windows.episode == 2) & (windows.start <= 10))
    assert (windows.start[donors[at]] - windows.start[at] >= 33).all()


def test_a_robot_with_a_single_window_has_no_donor_and_is_rejected() -> None:
    episodes = [of_robot("a", "lift"), of_robot("b", "lift"), of_robot("alone", "slide", 33)]
    with pytest.raises(BadBag, match="one of a robot that lacks slide"):
        donor_windows(EvaluationWindows(episodes, UNION, PAST, FUTURE, stride=5), seed=0)


def test_the_donor_in_a_single_episode_is_another_time() -> None:
    windows = EvaluationWindows([episode("long", ramp(100))], MANIFEST, PAST, FUTURE, stride=5)
    donors = donor_windows(windows, seed=0)
    apart = np.abs(windows.start[donors] - windows.start)
    # 14 windows of 33 frames, starts 0 .. 65: those from 35 on share no frame with the first, and vice versa.
    assert (apart[windows.start <= 30] >= 33).all() and (apart > 0).all()


def test_a_single_window_has_no_donor_and_is_rejected() -> None:
    with pytest.raises(BadBag, match="two windows"):
        evaluate(PerfectWorld(), [episode("short", ramp(33))])
