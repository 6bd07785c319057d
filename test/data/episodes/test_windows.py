"""Training windows of episodes."""

import pytest
import torch
from grey_episodes import episode, manifest

from hwm_core.data.episodes.windows import Windows, window_starts
from hwm_core.errors import BadActions, BadBag, RobotMismatch


def test_windows_stay_within_a_segment():
    some = episode(lengths=(5, 3, 7))
    assert window_starts(some.segments, 5).tolist() == [0, 8, 9, 10]
    assert window_starts(some.segments, 3, stride=2).tolist() == [0, 2, 5, 8, 10, 12]
    assert window_starts(some.segments, 8).tolist() == []
    windows = Windows([some, episode("other")], manifest(), past_frames=2, future_frames=3)
    for window in windows:
        shown = window.frames[:, 0, 0, 0]
        assert (shown.diff() == 1).all()


def test_a_window_holds_each_frame_with_its_own_action_in_manifest_order():
    windows = Windows([episode()], manifest(names=("b", "a")), past_frames=2, future_frames=3, stride=5)
    window = windows[1]
    assert window.frames.dtype == torch.uint8 and window.frames.shape == (5, 3, 8, 8)
    assert window.frames[:, 1, 4, 4].tolist() == [5, 6, 7, 8, 9]
    assert window.actions.tolist() == [[2.0 * t, t] for t in range(5, 10)]
    commands = Windows([episode()], manifest("commands"), past_frames=2, future_frames=3)
    assert commands[3].actions[:, 0].tolist() == [-3, -4, -5, -6, -7]


def test_windows_without_a_manifest_have_no_actions():
    assert Windows([episode()], None, 1, 8)[0].actions.shape == (9, 0)


def test_impossible_windows_are_rejected():
    with pytest.raises(BadBag, match="longest segment 7"):
        Windows([episode(lengths=(5, 7))], manifest(), 4, 4)
    with pytest.raises(BadBag, match="0 episodes"):
        Windows([], manifest(), 4, 4)
    with pytest.raises(BadActions, match="expected commands"):
        Windows([episode(commands=False)], manifest("commands"), 2, 2)
    with pytest.raises(RobotMismatch, match="among them c"):
        Windows([episode()], manifest(names=("a", "c")), 2, 2)
