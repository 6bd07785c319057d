"""Inspection of token sets: 1X's, hwm's, pairs and test sets."""

import numpy as np
import pytest
from onex_sets import raw_v2, tokens_v1
from recordings import TOPICS

from hwm_core.data.checks.token_inspection import inspect_tokens
from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.discover import find_recordings
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import open_episodes, open_tokens
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadBag


def faults(path):
    return [one.text for one in verify_metadata(path) if one.level == "fault"]


def test_clips_codes_takes_and_joints_of_a_set_are_measured(published):
    found = inspect_tokens("set", open_tokens(published / "train_v2.0"))
    assert (found.episodes, found.takes, found.frames, found.frame_rate_hz) == (2, 4, 91, 30)
    assert (found.clips, found.clip_frames, found.grid) == (6, 17, (3, 32, 32))  # 51 and 40 frames
    assert (found.codes_used, found.vocabulary, found.latents) == (3, 64_000, None)  # clip c holds the code c
    # Frames 17 to 33 hold the cut at 20, in both; 40 frames have 6 of the 17 of a third clip.
    assert (found.partial, found.straddling) == (1, 2)
    assert found.remarks()[:2] == ["1 of 6 clips are partial: never used", "2 of 6 clips contain a cut: never used"]
    (states,) = found.joints.values()
    assert [one.name for one in states] == list(EVE_STATES) and (states[0].lower, states[0].upper) == (0, 50)


def shard(states, segments=None, tokens=None, vocabulary=4):
    count = len(states)
    tokens = np.zeros((count, 1, 2, 2), np.int32) if tokens is None else tokens
    segments = np.zeros(count, np.int32) if segments is None else segments
    return TokenEpisode("one", tokens, 1, vocabulary, 30.0, segments, ("a", "b"), states.astype(np.float32))


def test_constant_and_suspicious_joints_of_a_set_are_listed():
    t = np.arange(50)
    found = inspect_tokens("set", [shard(np.stack([0.01 * t, 0 * t + 0.5], axis=1))])
    assert found.remarks() == ["states: 1 of 2 dimensions are constant: b"]
    degrees = Robot(name="robot", joints={"a": Joint(unit="deg"), "b": Joint(limits=(-0.4, 0.4))})
    warned = inspect_tokens("set", [shard(np.stack([0.01 * t, 0 * t + 0.5], axis=1))], degrees.joint).remarks()
    assert "a 0 to 0.49: radians for degrees?" in warned[1] and "beyond its limits -0.4 to 0.4" in warned[2]


@pytest.mark.parametrize("cut", [True, False])
def test_steps_between_takes_give_no_warning(cut):
    t = np.arange(200)
    wave, second = 0.1 * np.sin(t / 20), t >= 100
    states = np.stack([wave + 2 * second, wave], axis=1)
    as_one = inspect_tokens("set", [shard(states, segments=(second & cut).astype(np.int32))])
    assert any("a single step of 2" in remark for remark in as_one.remarks()) is not cut
    apart = inspect_tokens("set", [shard(states[:100]), shard(states[100:])])
    assert apart.takes == 2 and apart.remarks() == []


def test_latents_are_reported_by_their_extremes_and_invalid_codes_are_rejected():
    states = np.zeros((3, 2))
    latents = np.linspace(-2, 3, 24, dtype=np.float16).reshape(3, 1, 2, 2, 2)
    found = inspect_tokens("set", [shard(states, tokens=latents, vocabulary=0)])
    assert (found.latents, found.vocabulary, found.grid) == ((-2, 3), 0, (1, 2, 2, 2))
    with pytest.raises(BadBag, match="codes 0 to 3, got 0 to 4"):
        inspect_tokens("set", [shard(states, tokens=np.array([0, 1, 4] * 4, np.int32).reshape(3, 1, 2, 2))])
    with pytest.raises(BadBag, match="expected episodes, got none"):
        inspect_tokens("set", [])


def test_a_test_set_is_opened_as_episodes_of_one_clip_each(published):
    two = open_episodes(published / "test_v2.0")
    assert [one.name for one in two] == ["test_v2.0_0", "test_v2.0_7"] and two[1].tokens.shape == (1, 3, 32, 32)
    assert two[1].states.shape == (64, 25) and two[1].valid_starts().tolist() == [0]


def test_inspect_reads_one_set_several_sets_and_a_test_set(published, command):
    status, output = command("inspect", published)
    assert status == 0
    assert [line.split()[0].rsplit("/")[-1] for line in output.splitlines() if " episodes, " in line] == [
        "test_v2.0",
        "train_v2.0",
        "val_v2.0",
    ]
    assert "6 of 17 frames: 3 latents of 32x32" in output and "2 of 64000 used" in output
    status, output = command(
        "inspect", published / "val_v2.0", "--dimensions", "--embodiment", "1x_eve", "--sheets", "no"
    )
    assert status == 0 and "1 episodes, 1 takes" in output and "no sheet: token sets contain no images" in output
    assert all(f" {name} " in output for name in EVE_STATES)
    status, output = command("inspect", published / "train_v2.0", "--episodes", 1)
    assert status == 0 and "1 episodes, 2 takes" in output and "1 of 3 clips are partial" in output


def test_inspect_reads_hwm_sets_and_v1_sets_and_reports_a_damaged_set(pair, tmp_path, command):
    tokens_v1(tmp_path / "v1")
    status, output = command("inspect", pair, tmp_path / "v1")
    assert status == 0 and "4 of 5 frames: 2 latents of 2x4" in output and "30 of 262144 used" in output
    (pair / "validation" / "video_0.bin").write_bytes(b"cut")
    status, output = command("inspect", pair)
    assert status == 1 and "validation: File" in output and "1 episodes, 1 takes" in output


def test_a_folder_of_recordings_and_token_sets_is_read_completely(published, command):
    raw_v2(published / "raw", frames=9)
    status, output = command("inspect", published)
    assert status == 0 and "raw_0  64x64" in output and "val_v2.0" in output
    assert "0 faults" in command("verify", published)[1]


def test_token_sets_of_every_kind_are_rejected_as_recordings(published, pair):
    for path in (published, published / "test_v2.0", pair, pair / "training"):
        with pytest.raises(BadBag, match=r"expected recordings with images, got tokens.*hwm inspect"):
            find_recordings(path, TOPICS)
    for side in ("training", "validation"):
        (pair / side / "metadata.json").unlink()
    for path in (pair, pair / "training"):
        with pytest.raises(BadBag, match=r"an unfinished token set.*hwm tokenize"):
            find_recordings(path, TOPICS)
