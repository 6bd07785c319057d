"""Verification of recordings and LeRobot datasets."""

import numpy as np
import pytest
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
