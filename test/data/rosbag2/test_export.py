"""Writing recordings of any format as bags. Takes joined in one file stay separate in the bag."""

import numpy as np
import pyarrow
import pytest
from command import hwm
from lerobot_sets import plain_set, with_column
from onex_sets import raw_v2
from recordings import NAMES, PERIOD, PREPROCESSING, START, TOPICS, Message, grey_image, record, run, write_video

from hwm_core.data.discover import find_recordings
from hwm_core.data.rosbag2.export import write_bags
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.errors import BadBag

FIELDS = ("frames", "segments", "states", "commands")
SQUARE = PREPROCESSING.model_copy(update={"source_aspect": 1.0})


def same_episode(one, two):
    return all(np.array_equal(getattr(one, field), getattr(two, field)) for field in FIELDS)


def in_takes(folder, lengths):
    """A video of 20 frames with its table of states and commands, joined from takes of these lengths."""
    folder.mkdir()
    write_video(folder / "run_4.mp4", 20, "mpeg4")
    takes = np.repeat(np.arange(len(lengths)), lengths)
    rows = "\n".join(f"{t},{t + 0.5},{take}" for t, take in enumerate(takes))
    (folder / "run_4.csv").write_text(f"state.neck,command.neck,segment\n{rows}\n")
    (recording,) = find_recordings(folder, TOPICS)
    return recording


@pytest.mark.parametrize("lengths", [(7, 13), (6, 2, 5, 7)])
@pytest.mark.parametrize("rate", [30, 15])
def test_the_takes_of_a_video_are_the_segments_of_its_bag(tmp_path, lengths, rate):
    recording = in_takes(tmp_path / "joined", lengths)
    done = write_bags([recording], tmp_path / "bags", TOPICS, "png")
    assert done.losses == [
        f"stamps after a cut: each cut ({len(lengths) - 1} in all) is a pause of 5 s and a message on /recording/cut"
    ]
    at_rate = PREPROCESSING.model_copy(update={"frame_rate_hz": rate})
    before, _ = recording.read(at_rate)
    after, _ = BagRecording(tmp_path / "bags" / "run_4", TOPICS).read(at_rate)
    assert before.segments[-1] > 0
    assert same_episode(before, after)


def test_a_reader_that_does_not_read_the_cut_topic_sees_a_gap(tmp_path):
    recording = in_takes(tmp_path / "joined", (7, 13))
    write_bags([recording], tmp_path / "bags", TOPICS, "png")
    without_cuts = TOPICS.model_copy(update={"cuts": "/elsewhere"})
    for stamps in ("header", "receive"):
        episode, report = BagRecording(tmp_path / "bags" / "run_4", without_cuts, stamps).read(PREPROCESSING)
        grey = episode.frames[:, 6, 6, 1].astype(int)
        assert (
            report.gaps == 1 and (grey[episode.segments == 1] >= 65).all() and (grey[episode.segments == 0] <= 65).all()
        )


def test_the_segments_of_a_1x_shard_are_the_segments_of_its_bag(tmp_path):
    raw_v2(tmp_path / "raw", frames=20, cut=12)
    (shard,) = find_recordings(tmp_path / "raw", TOPICS)
    write_bags([shard], tmp_path / "bags", TOPICS, "png")
    before, _ = shard.read(SQUARE)
    after, _ = BagRecording(tmp_path / "bags" / shard.name, TOPICS).read(SQUARE)
    assert before.segments.tolist() == [0] * 12 + [1] * 8
    assert same_episode(before, after)


def test_a_bag_with_a_backward_clock_jump_is_copied_unchanged(tmp_path):
    later = [
        m if m.topic == TOPICS.image else type(m)(m.topic, m.stamp_ns, (NAMES, np.add(m.content[1], 1000)))
        for m in run(20)
    ]
    record(tmp_path / "looped", run(20) + later)
    (recording,) = find_recordings(tmp_path / "looped", TOPICS)
    write_bags([recording], tmp_path / "bags", TOPICS, "raw")
    before, _ = recording.read(PREPROCESSING)
    after, report = BagRecording(tmp_path / "bags" / "looped", TOPICS).read(PREPROCESSING)
    assert report.clock_jumps == 1 and same_episode(before, after)
    assert np.array_equal(before.stamps_ns, after.stamps_ns)


def test_an_unusable_message_is_left_out_and_reported_and_the_rest_is_kept(tmp_path):
    junk = Message(TOPICS.joint_states, START, b"\x00\x01\x00\x00junk")
    source = record(tmp_path / "source", [*run(20), junk])
    done = write_bags(find_recordings(source, TOPICS), tmp_path / "bags", TOPICS, "png")
    assert not done.left_out
    assert len(done.losses) == 1 and done.losses[0].startswith("unusable messages: 1, the first: ")
    (before, report_before), (after, report) = (
        BagRecording(bag, TOPICS).read(PREPROCESSING) for bag in (source, tmp_path / "bags" / "source")
    )
    assert (report_before.bad, report.bad) == (1, 0) and same_episode(before, after)


def test_joint_messages_with_nan_are_written_unchanged_and_counted(tmp_path):
    end = START + 20 * PERIOD
    bad = [Message(TOPICS.joint_states, end + t, (NAMES, (0, np.nan, 0))) for t in (0, 1)]
    source = record(tmp_path / "source", [*run(20), *bad])
    done = write_bags(find_recordings(source, TOPICS), tmp_path / "bags", TOPICS, "png")
    assert done.losses == ["no values, but 2 joint messages have NaN or infinity, as in the source"]
    assert BagRecording(tmp_path / "bags" / "source", TOPICS).read(PREPROCESSING)[1].bad == 2


def test_images_of_several_cameras_on_one_topic_are_reported(tmp_path):
    images = [
        Message(TOPICS.image, START + t * PERIOD, grey_image(t, 24 + t % 2 * 24, 32 + t % 2 * 32)) for t in range(8)
    ]
    source = record(tmp_path / "source", [*images, *(m for m in run(8) if m.topic != TOPICS.image)])
    done = write_bags(find_recordings(source, TOPICS), tmp_path / "bags", TOPICS, "png")
    assert len(done.losses) == 1 and "the images change 7 times between 2 cameras" in done.losses[0]


def test_a_channel_without_a_usable_message_leaves_no_bag(tmp_path):
    junk = [Message(TOPICS.joint_states, START + t, b"\x00\x01\x00\x00junk") for t in range(3)]
    source = record(tmp_path / "source", [m for m in run(20) if m.topic != TOPICS.joint_states] + junk)
    with pytest.raises(BadBag):
        write_bags(find_recordings(source, TOPICS), tmp_path / "bags", TOPICS, "png")
    assert not list((tmp_path / "bags").glob("*"))


@pytest.mark.parametrize("first_s", [-30, 4e9])
def test_times_that_no_bag_can_hold_leave_the_recording_out_with_the_reason(tmp_path, capsys, first_s):
    times = [first_s + t / 30 for t in range(20)]
    folder = plain_set(tmp_path / "set")
    with_column(folder, 0, "timestamp", pyarrow.array(times, pyarrow.float64()))
    out = tmp_path / "bags"
    assert hwm("convert", folder, "--to", "rosbag2", "--out", out) == 1
    assert "as ROS stores times, got" in capsys.readouterr().err
    assert [one.name for one in out.iterdir()] == ["set_000001"]
