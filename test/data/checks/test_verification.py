"""Verification of recordings and LeRobot datasets."""

import numpy as np
import pytest
from lerobot_sets import plain_set, with_column
from recordings import NAMES, TOPICS, Message, lerobot_dataset, record, run

from hwm_core.data.checks.verification import verify_metadata, verify_recording
from hwm_core.data.discover import find_recordings


def test_wrong_totals_are_notes_and_a_truncated_video_is_a_fault(tmp_path):
    folder = lerobot_dataset(tmp_path / "set")
    notes = [one.text for one in verify_metadata(folder)]
    assert any("total_episodes 100, but there are 2" in text for text in notes)
    assert any("`observation.images.absent`, which has no files" in text for text in notes)
    assert all(one.level == "note" for one in verify_metadata(folder))
    video = folder / "videos/chunk-000/observation.images.head/episode_000003.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    first, second = find_recordings(folder, TOPICS)
    assert [one.level for one in verify_recording(first)] == ["note"]  # one frame without a command before it
    assert [one.level for one in verify_recording(second)] == ["fault"]


@pytest.mark.parametrize(
    ("column", "rows", "level", "text"),
    [
        ("episode_index", [1] * 20, "", ""),
        ("episode_index", [7] * 20, "note", "say that they are of episode 7"),
        ("episode_index", [1] * 9 + [2] * 11, "fault", "of 2 episodes: 1, 2"),
        ("frame_index", list(range(20)), "", ""),
        ("frame_index", [*range(10, 20), *range(10)], "note", "not in the order of `frame_index`"),
    ],
)
def test_rows_that_state_another_episode_or_order_are_reported(tmp_path, column, rows, level, text):
    folder = plain_set(tmp_path / "set")
    with_column(folder, 1, column, rows)
    found = [one for one in verify_metadata(folder) if one.where == "set episode 1"]
    assert [one.level for one in found] == [level] * bool(level) and all(text in one.text for one in found)


@pytest.mark.parametrize(("bad", "level"), [(9, "note"), (30, "fault")])
def test_nan_states_are_a_note_when_interpolated_over_and_a_fault_when_frames_are_lost(tmp_path, bad, level):
    messages = run(40)  # states at 90 Hz: 9 bad ones in a row leave a pause of 0.11 s, 30 leave 0.34 s
    places = [index for index, m in enumerate(messages) if m.topic == TOPICS.joint_states][30 : 30 + bad]
    for index in places:
        messages[index] = Message(TOPICS.joint_states, messages[index].stamp_ns, (NAMES, (0, np.nan, 0)))
    record(tmp_path / "run", messages)
    (found,) = verify_recording(find_recordings(tmp_path / "run", TOPICS)[0])
    assert found.level == level and f"{bad} bad messages" in found.text and "NaN or infinity for elbow" in found.text
    # The states before and after the 30 bad ones are at 9 2/3 and 20 periods: frames 10 to 19 have none around them.
    assert ("10 frames are lost" in found.text) is (level == "fault")
