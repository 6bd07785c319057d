"""Reading rosbag2, including damaged bags."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from recordings import NAMES, PERIOD, PREPROCESSING, START, TOPICS, grey_image, real_data, record, run
from rosbags.rosbag2 import Reader

from benchmarks.readers.sqlite_bag import as_sqlite3
from hwm_core.data.discover import find_recordings
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.errors import BadActions, BadBag, BadImage, BadInput, RobotMismatch


def read(path, names=None, topics=TOPICS, stamps="header"):
    return BagRecording(path, topics, stamps).read(PREPROCESSING, names)


@pytest.fixture
def bag(tmp_path):
    return record(tmp_path / "bag", run())


def test_a_frame_has_the_state_at_its_stamp_and_the_command_issued_before_it(bag):
    episode, report = read(bag)
    # The first frame is left out: no command precedes it.
    t = np.arange(1, 40)
    assert episode.names == NAMES
    assert np.array_equal(episode.frames, np.broadcast_to(t[:, None, None, None], (39, 12, 12, 3)))
    assert np.array_equal(episode.stamps_ns, START + t * PERIOD)
    assert np.array_equal(episode.states, np.stack([t, 10 * t, -t], axis=1).astype(np.float32))
    assert np.array_equal(episode.commands, np.stack([t - 1] * 3, axis=1).astype(np.float32))
    assert (report.images, report.states, report.commands) == (40, 120, 40)
    assert (report.frames, report.unaligned_frames, report.bad, report.late) == (39, 1, 0, 0)


def test_states_between_two_messages_are_interpolated(tmp_path):
    states = [message for message in run() if message.topic == TOPICS.joint_states]
    shifted = [replace(message, stamp_ns=message.stamp_ns - PERIOD // 6) for message in states]
    others = [message for message in run() if message.topic != TOPICS.joint_states]
    episode, _ = read(record(tmp_path / "bag", shifted + others))
    # Every value is stamped a sixth of a period early, so the value at a frame is a sixth further.
    t = (episode.stamps_ns - START) / PERIOD
    assert np.allclose(episode.states[:, 0], t + 1 / 6, atol=1e-6)


def test_sqlite3_mcap_and_a_file_without_its_folder_give_the_same_episode(bag, tmp_path):
    expected, _ = read(bag)
    for path in (as_sqlite3(bag, tmp_path / "sqlite"), bag / "bag.mcap", tmp_path / "sqlite" / "sqlite.db3"):
        episode, _ = read(path)
        assert np.array_equal(episode.frames, expected.frames)
        assert np.array_equal(episode.states, expected.states)
        assert np.array_equal(episode.commands, expected.commands)


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_compressed_images_are_read_where_no_raw_images_were_recorded(tmp_path, image_format):
    episode, _ = read(record(tmp_path / "bag", run(), image_format))
    assert np.array_equal(episode.frames[:, 0, 0, 0], np.arange(1, 40))


def test_joints_are_matched_by_name_when_their_order_changes(tmp_path):
    messages = run()
    for index, message in enumerate(messages):
        if index > 60 and message.topic != TOPICS.image:
            names, positions = message.content
            messages[index] = replace(message, content=(("leg", *names[::-1]), (99.0, *positions[::-1])))
    episode, _ = read(record(tmp_path / "bag", messages), names=["wrist", "neck"])
    assert episode.names == ("wrist", "neck")
    assert np.array_equal(episode.states, np.stack([-np.arange(1, 40), np.arange(1, 40)], axis=1).astype(np.float32))


def test_a_lost_image_is_bridged_and_a_pause_starts_a_segment(tmp_path):
    messages = [m for m in run() if m.topic != TOPICS.image or m.content[0, 0, 0] not in {10, 20, 21, 22, 23, 24}]
    episode, report = read(record(tmp_path / "bag", messages))
    grey = episode.frames[:, 0, 0, 0]
    assert grey[episode.segments == 0].tolist() == [*range(1, 10), 11, *range(11, 20)]
    assert grey[episode.segments == 1].tolist() == list(range(25, 40))
    assert (report.gaps, report.clock_jumps) == (1, 0)


def test_repeated_frames_are_counted_and_the_rate_without_them_is_measured(tmp_path):
    slow = [replace(message, stamp_ns=START + (message.stamp_ns - START) * 3 // 2) for message in run()]  # 20 Hz
    episode, report = read(record(tmp_path / "bag", slow))
    # 38 periods of 50 ms lie between images 1 and 39. They are 57 periods of 33 ms: 58 frames show 39 images.
    assert (len(episode), report.held, report.shown_hz) == (58, 19, 20)
    _, report = BagRecording(tmp_path / "bag", TOPICS).read(PREPROCESSING.model_copy(update={"frame_rate_hz": 20}))
    assert (report.frames, report.held, report.shown_hz) == (39, 0, 20)


def test_a_bag_played_twice_is_two_segments_and_states_do_not_mix(tmp_path):
    later = [
        replace(m, content=(m.content[0], np.add(m.content[1], 1000))) if m.topic != TOPICS.image else m for m in run()
    ]
    episode, report = read(record(tmp_path / "bag", run() + later))
    assert report.clock_jumps == 1
    assert np.unique(episode.segments).tolist() == [0, 1]
    grey = episode.frames[:, 0, 0, 0].astype(np.float32)
    assert np.array_equal(episode.states[:, 0], grey + 1000 * episode.segments)


def test_images_with_late_or_equal_stamps_are_left_out_and_counted(tmp_path):
    messages = run()
    images = [index for index, message in enumerate(messages) if message.topic == TOPICS.image]
    for here, before in ((10, 9), (20, 18)):  # image 10 has the stamp of image 9, image 20 the stamp of image 18
        messages[images[here]] = replace(messages[images[here]], stamp_ns=messages[images[before]].stamp_ns)
    episode, report = read(record(tmp_path / "bag", messages))
    assert report.late == 2
    assert (np.diff(episode.stamps_ns) >= 0).all()
    assert not np.isin([10, 20], episode.frames[:, 0, 0, 0]).any()


def test_messages_without_a_stamp_are_rejected_unless_receive_times_are_used(tmp_path):
    bag = record(tmp_path / "bag", [replace(message, stamp_ns=0) for message in run()])
    with pytest.raises(BadBag, match="receive times"):
        read(bag)
    # 40 images arrive 5 messages, so 5 ms, apart. The 30 Hz clock ticks 6 times in 195 ms, once before any command.
    episode, _ = read(bag, stamps="receive")
    assert len(episode) == 5


def test_images_and_joints_stamped_by_different_clocks_are_rejected_with_both_time_spans(tmp_path):
    messages = [replace(m, stamp_ns=m.stamp_ns + 10**12) if m.topic == TOPICS.image else m for m in run()]
    with pytest.raises(BadBag, match=r"images at 1100\.000.*states at 100\.000"):
        read(record(tmp_path / "bag", messages))


def test_a_cut_message_ends_a_take_and_joint_values_do_not_cross_it(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for number, message in enumerate(run(20)):
            at = START + number * 1_000_000
            if message.topic == TOPICS.image:
                if message.content[0, 0, 0] == 12:
                    bag.write_cut(TOPICS.cuts, at)
                bag.write_image(message.topic, message.stamp_ns, message.content, received_ns=at)
            else:
                bag.write_joints(message.topic, message.stamp_ns, *message.content, received_ns=at)
    episode, report = read(tmp_path / "bag")
    # Image 0 precedes every command, and image 12 every command of its take; its state precedes the cut.
    assert episode.frames[:, 0, 0, 0].tolist() == [*range(1, 12), *range(13, 20)]
    assert episode.segments.tolist() == [0] * 11 + [1] * 7
    assert report.gaps == 0
    (recording,) = find_recordings(tmp_path / "bag", TOPICS)
    assert recording.extras() == ()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_that_are_not_finite_are_left_out_and_counted(tmp_path, value):
    messages = run()
    messages[30] = replace(messages[30], topic=TOPICS.joint_states, content=(NAMES, (0.0, value, 0.0)))
    episode, report = read(record(tmp_path / "bag", messages))
    assert report.bad == 1 and "elbow" in report.first_fault
    assert np.isfinite(episode.states).all()


def test_without_a_finite_state_the_joints_are_listed(tmp_path):
    messages = [replace(m, content=(NAMES, (0, 0, np.nan))) if m.topic == TOPICS.joint_states else m for m in run()]
    with pytest.raises(BadActions, match="wrist"):
        read(record(tmp_path / "bag", messages))


def test_a_missing_joint_is_reported_with_its_likely_new_name(bag):
    with pytest.raises(RobotMismatch, match="`left_elbow` may now be `elbow`"):
        read(bag, names=["neck", "left_elbow"])


def test_the_states_choose_the_joints_and_commands_must_have_all_of_them(tmp_path):
    messages = run()
    for index, message in enumerate(messages):
        if message.topic == TOPICS.commands:
            t = message.content[1][0]
            messages[index] = replace(message, content=(("wrist", "leg", "neck", "elbow"), (3 * t, 99, t, 2 * t)))
    messages.insert(0, messages.pop(2))  # a command comes first
    episode, _ = read(record(tmp_path / "all", messages))
    assert episode.names == NAMES
    assert np.array_equal(episode.commands[5], [5, 10, 15])
    fewer = [replace(m, content=(("neck",), (0.0,))) if m.topic == TOPICS.commands else m for m in run()]
    bag = record(tmp_path / "fewer", fewer)
    with pytest.raises(RobotMismatch, match=r"Joints of commands.*elbow, wrist.*list only joints that are in it"):
        read(bag)
    assert read(bag, names=["neck"])[0].names == ("neck",)


def test_a_message_with_fewer_positions_than_names_is_left_out(tmp_path):
    messages = run()
    messages[30] = replace(messages[30], topic=TOPICS.joint_states, content=(NAMES, (0.0, 1.0)))
    assert read(record(tmp_path / "bag", messages))[1].bad == 1


def test_a_truncated_message_is_left_out_and_counted(tmp_path):
    messages = run()
    messages[30] = replace(messages[30], topic=TOPICS.joint_states, content=b"\x00\x01\x00\x00\x05\x00")
    assert read(record(tmp_path / "bag", messages))[1].bad == 1


def test_images_with_another_aspect_are_rejected(tmp_path):
    messages = [replace(m, content=grey_image(0, 24, 40)) if m.topic == TOPICS.image else m for m in run()]
    with pytest.raises(BadImage, match="40x24"):
        read(record(tmp_path / "bag", messages))


def test_without_the_camera_topic_the_recorded_image_topics_are_listed(bag):
    with pytest.raises(BadBag, match=r"/other/image_raw.*/head_camera/image_raw"):
        read(bag, topics=Topics(image="/other/image_raw"))


def test_without_the_joint_topics_the_recorded_ones_are_listed(bag):
    with pytest.raises(BadBag, match=r"/joint_states, /joint_commands|/joint_commands, /joint_states"):
        read(bag, topics=Topics(joint_states="/a", commands="/b"))


def test_one_joint_topic_is_enough_and_an_absent_one_that_was_named_is_reported(bag):
    episode, report = read(bag, topics=Topics(commands="/absent"))
    assert episode.commands is None and len(episode) == 40
    assert "no topic /absent, so no commands. Topics of this type in the bag: /joint_" in report.remarks()
    episode, report = read(bag, topics=Topics(joint_states="/absent"))
    assert episode.states is None and len(episode) == 39
    assert "no topic /absent, so no states" in report.remarks()
    assert "no topic" not in read(bag)[1].remarks()


def test_a_topic_with_another_type_is_rejected(bag):
    with pytest.raises(BadBag, match="sensor_msgs/msg/JointState"):
        read(bag, topics=Topics(image="/joint_states"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("storage", ["mcap", "db3"])
def test_a_truncated_bag_is_rejected(bag, tmp_path, storage, share):
    whole = bag / "bag.mcap" if storage == "mcap" else as_sqlite3(bag, tmp_path / "whole") / "whole.db3"
    contents = whole.read_bytes()
    truncated = tmp_path / f"truncated.{storage}"
    truncated.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(BadBag, match="truncated"):
        read(truncated)


def test_a_bag_with_flipped_bytes_raises_nothing_but_bad_input(bag, tmp_path):
    contents = bytearray((bag / "bag.mcap").read_bytes())
    random = np.random.default_rng(0)
    for _ in range(10):
        damaged = bytearray(contents)
        for place in random.integers(0, len(contents), 20):
            damaged[place] ^= 0xFF
        (tmp_path / "damaged.mcap").write_bytes(damaged)
        with suppress(BadInput):
            read(tmp_path / "damaged.mcap")


def test_a_folder_without_metadata_and_an_absent_path_are_rejected(bag, tmp_path):
    (bag / "metadata.yaml").unlink()
    with pytest.raises(BadBag, match=r"metadata\.yaml"):
        read(bag)
    with pytest.raises(BadBag, match="nothing there"):
        read(tmp_path / "nowhere")


def test_what_is_no_bag_is_rejected_with_the_way_to_make_one(tmp_path):
    (tmp_path / "set/meta").mkdir(parents=True)
    (tmp_path / "run.mp4").write_bytes(b"x" * 40)
    for path, got in ((tmp_path / "set", "a folder without metadata.yaml"), (tmp_path / "run.mp4", "a .mp4 file")):
        with pytest.raises(BadBag, match=rf"{got}\. Name one bag\. `hwm convert"):
            read(path)


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path):
    def fail_halfway():
        with BagWriter(tmp_path / "bag") as bag:
            bag.write_joints("/joint_states", START, NAMES, (0, 0, 0))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


def test_the_next_writer_removes_what_a_killed_writer_left(tmp_path):
    (tmp_path / ".bag.partial" / "bag").mkdir(parents=True)
    record(tmp_path / "bag", run(3))
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


def test_a_writer_never_overwrites(bag):
    with pytest.raises(BadBag, match="an existing path"), BagWriter(bag):
        pass
    read(bag)


def test_custom_message_types_are_written(tmp_path):
    types = message_types({"my_robot/msg/Grip": "string hand\nfloat64 force\n"})
    grip = types.types["my_robot/msg/Grip"](hand="left", force=2.0)
    with BagWriter(tmp_path / "bag", types) as bag:
        bag.write("/grip", grip, START)
    with pytest.raises(BadBag, match="Topics of this type in the bag: none"):
        read(tmp_path / "bag")


@pytest.mark.realdata
def test_a_real_bag_without_a_camera_is_rejected():
    with pytest.raises(BadBag, match=r"head_camera/image_raw.*Topics of this type in the bag: none"):
        read(real_data("rosbag2_abitobot_sim"))


@pytest.mark.realdata
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize(("kind", "fault"), [("image", "30 bytes"), ("compressed_image", "10 bytes")])
def test_malformed_images_of_public_test_bags_are_rejected(storage, kind, fault):
    topics = Topics(image=f"/test/sensor_msgs/{kind}", joint_states="/test/sensor_msgs/joint_state")
    with pytest.raises(BadImage, match=fault):
        read(real_data("rosbag2_rosbags_rs_testbags") / f"test_bag_{storage}", topics=topics)


def test_joint_values_that_are_not_contiguous_in_memory_are_written_unchanged(tmp_path):
    table = np.arange(6.0).reshape(3, 2)
    with BagWriter(tmp_path / "bag") as bag:
        bag.write_joints(TOPICS.joint_states, START, NAMES, table[:, 1])
    with Reader(tmp_path / "bag") as reader:
        ((connection, _, data),) = reader.messages()
        assert message_types().deserialize_cdr(data, connection.msgtype).position.tolist() == [1.0, 3.0, 5.0]
