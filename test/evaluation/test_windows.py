"""The windows of an evaluation: where they start, and which episodes are rejected."""

import numpy as np
import pytest
from known_world import EPISODES, FUTURE, MANIFEST, PAST, PerfectWorld, episode, evaluate, ramp

from hwm_core.errors import BadActions, BadBag, RobotMismatch
from hwm_core.evaluation.windows import EvaluationWindows, has_still_camera


def test_windows_start_every_stride_frames_for_every_horizon() -> None:
    result = evaluate(PerfectWorld(), EPISODES, stride=5)
    # 60 frames, windows of 9 + 24: starts 0, 5, .. 25
    assert result.windows.start.tolist() == [0, 5, 10, 15, 20, 25] * 2
    assert {result.count(h) for h in result.horizons} == {12}


def test_windows_do_not_cross_segments() -> None:
    segments = np.repeat([0, 1], 40).astype(np.int32)
    result = evaluate(PerfectWorld(), [episode("gap", ramp(80), segments=segments), EPISODES[0]], stride=5)
    assert result.windows.start[result.windows.episode == 0].tolist() == [0, 5, 40, 45]


def test_at_most_max_windows_are_kept_from_the_first_to_the_last() -> None:
    result = evaluate(PerfectWorld(), EPISODES, stride=1, max_windows=5)
    every = EvaluationWindows(EPISODES, MANIFEST, PAST, FUTURE, stride=1)
    assert len(result) == 5 and len(every) == 56
    assert (result.windows.start[0], result.windows.start[-1]) == (every.start[0], every.start[-1])


def test_joints_are_matched_by_name() -> None:
    turned = [
        episode(e.name, np.zeros(60), names=("neck_yaw", "slide"), frames=e.frames, commands=e.commands[:, ::-1])
        for e in EPISODES
    ]
    assert evaluate(PerfectWorld(), turned).psnr("model", 16) == pytest.approx(60.0)


def test_episodes_too_short_are_rejected() -> None:
    with pytest.raises(BadBag, match="without a gap"):
        evaluate(PerfectWorld(), [episode("short", ramp(32))])


def test_an_episode_of_another_robot_is_rejected() -> None:
    with pytest.raises(RobotMismatch, match="slide"):
        evaluate(PerfectWorld(), [episode("other", ramp(60), names=("lift", "neck_yaw"))])


def test_an_episode_without_the_models_kind_of_actions_is_rejected() -> None:
    with pytest.raises(BadActions, match="commands"):
        evaluate(PerfectWorld(), [episode("states", ramp(60), commands=None, states=np.zeros((60, 2), np.float32))])


def test_the_camera_is_still_when_its_joints_are() -> None:
    assert has_still_camera(EPISODES[0])
    moving = np.stack([np.zeros(60), ramp(60)], axis=1).astype(np.float32)
    assert not has_still_camera(episode("nods", ramp(60), commands=moving))
    assert has_still_camera(episode("arm", ramp(60), names=("slide", "elbow"), commands=moving))
    lacks = np.stack([ramp(60), np.full(60, np.nan)], axis=1).astype(np.float32)
    assert has_still_camera(episode("of several robots", ramp(60), commands=lacks))
