"""Reading recordings as episodes and as timelines."""

from dataclasses import dataclass

import numpy as np
import pytest
from recordings import NAMES, PERIOD, PREPROCESSING, START, TOPICS, Message, grey_image, record, recording_at, run

from hwm_core.data.recording.recording import Recording, first_aspect
from hwm_core.errors import BadBag


def test_a_timeline_has_the_times_segments_and_joint_values_of_the_episode(tmp_path):
    recording = recording_at(record(tmp_path / "run", run(20) + run(20, START + 60 * PERIOD)))
    episode, episode_report = recording.read(PREPROCESSING)
    timeline, report = recording.timeline("before_frame")
    joints = timeline.aligned_joints()
    for mine, other in (
        (timeline.stamps_ns, episode.stamps_ns),
        (timeline.segments, episode.segments),
        (joints.states, episode.states),
        (joints.commands, episode.commands),
    ):
        assert np.array_equal(mine, other) and other.flags.c_contiguous
    assert joints.names == episode.names == NAMES and report == episode_report


def test_a_timeline_at_the_frames_has_the_command_issued_at_each_frame(tmp_path):
    recording = recording_at(record(tmp_path / "run", run(10)))
    before, _ = recording.timeline("before_frame")
    at, _ = recording.timeline("at_frame")
    assert before.commands[:, 0].tolist() == list(range(9))  # the first frame has no command before it
    assert at.commands[:, 0].tolist() == list(range(10))


def test_a_timeline_leaves_out_images_of_another_aspect(tmp_path):
    messages = run(10)
    index = next(i for i, m in enumerate(messages) if m.topic == TOPICS.image and m.stamp_ns == START + 5 * PERIOD)
    messages[index] = Message(TOPICS.image, messages[index].stamp_ns, grey_image(5, 24, 24))
    timeline, report = recording_at(record(tmp_path / "run", messages)).timeline("at_frame")
    assert report.bad == 1 and report.held == 1 and len(timeline) == 10


@dataclass(frozen=True)
class WithoutImages(Recording):
    name: str = "without_images"

    def events(self):
        return iter([])


def test_the_aspect_is_taken_from_the_first_recording_with_a_usable_image(tmp_path):
    usable = recording_at(record(tmp_path / "run", run(3)))
    assert first_aspect([WithoutImages(), usable]) == 32 / 24
    with pytest.raises(BadBag, match="without_images: expected images, got none"):
        first_aspect([WithoutImages()])
