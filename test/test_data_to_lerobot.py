"""Recordings to LeRobot datasets, and round trips: what comes back, and what is said to be lost."""

import json

import numpy as np
import pytest
from recordings import NAMES, PERIOD, PREPROCESSING, START, TOPICS, Message, lerobot_dataset, picture, record, run

from hwm_core.data.bag_reader import read_bag
from hwm_core.data.lerobot import lerobot_to_rosbag2, open_lerobot, read_lerobot, samples
from hwm_core.data.sources import find_recordings
from hwm_core.data.to_lerobot import LeRobotOptions, camera_rate_hz, write_lerobot
from hwm_core.data.to_rosbag2 import write_bags
from hwm_core.errors import BadBag

LOSSLESS = LeRobotOptions(codec="lossless", task="wave", robot="tester")


def grid_run(frames):
    """A run whose stamps are a dataset's: frame t at 1 s + t / 30."""
    messages = []
    for t in range(frames):
        stamp = 1_000_000_000 + round(float(np.float32(t / 30)) * 1e9)
        messages.append(Message(TOPICS.joint_states, stamp, (NAMES, (t, 10 * t, -t))))
        messages.append(Message(TOPICS.image, stamp, np.random.default_rng(t).integers(0, 256, (24, 32, 3), np.uint8)))
        messages.append(Message(TOPICS.commands, stamp, (NAMES, (t + 0.5,) * 3)))
    return messages


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_bag_comes_back_from_lerobot_to_the_bit(tmp_path, version):
    record(tmp_path / "bags" / "run_0", grid_run(12))
    recordings = find_recordings(tmp_path / "bags", TOPICS)
    done = write_lerobot(recordings, tmp_path / "set", LOSSLESS.model_copy(update={"version": version}))
    assert done.losses == ["times of day: an episode starts at 0 s"]
    dataset = open_lerobot(tmp_path / "set")
    assert (dataset.version, dataset.fps, dataset.entry(0).tasks) == (version, 30, ("wave",))
    assert not [one for one in (tmp_path / "set").iterdir() if one.name not in ("meta", "data", "videos")]
    lerobot_to_rosbag2(dataset, 0, tmp_path / "again", TOPICS, form="png")
    before, _ = read_bag(tmp_path / "bags" / "run_0", TOPICS, PREPROCESSING)
    after, _ = read_bag(tmp_path / "again", TOPICS, PREPROCESSING)
    for field in ("frames", "stamps_ns", "segments", "states", "commands"):
        assert np.array_equal(getattr(before, field), getattr(after, field)), field


def test_a_dataset_comes_back_from_bags_row_by_row_the_first_and_the_last_too(tmp_path):
    source = open_lerobot(lerobot_dataset(tmp_path / "set", (0,)))
    lerobot_to_rosbag2(source, 0, tmp_path / "bags" / "run_0", TOPICS, form="png")
    write_lerobot(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "again", LOSSLESS)
    for one, two in zip(samples(source, 0), samples(open_lerobot(tmp_path / "again"), 0), strict=True):
        assert one.stamp_ns == two.stamp_ns and np.array_equal(one.rgb, two.rgb)
        assert np.array_equal(one.state, two.state) and np.array_equal(one.command, two.command)


def test_an_action_is_the_command_issued_at_its_frame_not_before_it(tmp_path):
    record(tmp_path / "run_0", run(10))  # at frame t, t is commanded
    write_lerobot(find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS)
    rows = list(samples(open_lerobot(tmp_path / "set"), 0))
    assert [row.command[0] for row in rows] == list(range(10))
    assert [row.state[0] for row in rows] == list(range(10))
    assert [int(row.rgb[0, 0, 0]) for row in rows] == list(range(10))


def test_every_loss_is_said(tmp_path):
    messages = run(10) + run(10, start=START + 40 * PERIOD)  # a gap of a second
    messages = [m for m in messages if m.topic != TOPICS.commands]
    messages[0] = Message(messages[0].topic, messages[0].stamp_ns, (NAMES, (0.1, 0.2, 0.3)))
    record(tmp_path / "run_0", messages)
    said = " / ".join(
        write_lerobot(
            find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LeRobotOptions(codec="h264", fps=15)
        ).losses
    )
    for loss in ("became several episodes: run_0", "float32", "codec h264, ", "dB PSNR", "action", "pictures between"):
        assert loss in said
    dataset = open_lerobot(tmp_path / "set")
    assert len(dataset.episodes) == 2 and dataset.command_names == ()
    assert read_lerobot(dataset, 1, PREPROCESSING.model_copy(update={"frame_rate_hz": 15}))[0].commands is None


def test_what_else_a_source_holds_is_named(tmp_path):
    (recording,) = find_recordings(lerobot_dataset(tmp_path / "set", (0,)), TOPICS)
    assert recording.beside() == ()
    messages = [*run(5), Message("/imu", START, (NAMES, (0, 0, 0)))]
    record(tmp_path / "run_0", messages)
    assert find_recordings(tmp_path / "run_0", TOPICS)[0].beside() == ("topic /imu",)


def test_the_rate_is_that_of_the_camera(tmp_path):
    record(tmp_path / "run_0", run(20))
    assert camera_rate_hz(find_recordings(tmp_path / "run_0", TOPICS)[0]) == 30
    record(tmp_path / "run_1", [Message(TOPICS.image, START, picture(0)), *run(1)[:1]])
    with pytest.raises(BadBag, match="1 pictures"):
        camera_rate_hz(find_recordings(tmp_path / "run_1", TOPICS)[0])


def write_a_set(recordings, out):
    return write_lerobot(recordings, out, LOSSLESS)


def write_bags_of(recordings, out):
    return write_bags(recordings, out, TOPICS)


@pytest.mark.parametrize("write", [write_a_set, write_bags_of])
@pytest.mark.parametrize("bad", ["run_0", "run_1"])
def test_a_bad_recording_among_good_ones_is_left_out_and_told_whatever_the_format(tmp_path, write, bad):
    for name in ("run_0", "run_1"):
        messages = run(6) if name != bad else [m for m in run(6) if m.topic != TOPICS.image]
        record(tmp_path / "bags" / name, messages)
    done = write(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "out")
    assert [one.partition(":")[0] for one in done.left_out] == [bad] and "pictures" in done.left_out[0]
    (written,) = find_recordings(tmp_path / "out", TOPICS)
    assert len(written.read(PREPROCESSING)[0]) == 5  # the first of 6 came before any command


@pytest.mark.parametrize("write", [write_a_set, write_bags_of])
@pytest.mark.parametrize("count", [1, 2])
def test_of_bad_recordings_alone_nothing_is_written_and_the_reason_is_told(tmp_path, write, count):
    for name in ("run_0", "run_1")[:count]:
        record(tmp_path / "bags" / name, [m for m in run(6) if m.topic != TOPICS.image])
    with pytest.raises(BadBag, match="expected pictures"):
        write(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "out/set")
    assert not [one for one in (tmp_path / "out").rglob("*") if one.is_file()]


def test_at_a_named_rate_too_a_bad_recording_leaves_nothing(tmp_path):
    record(tmp_path / "run_0", [m for m in run(6) if m.topic != TOPICS.image])
    with pytest.raises(BadBag):
        write_lerobot(
            find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS.model_copy(update={"fps": 30})
        )
    assert not (tmp_path / "set").exists()


def test_statistics_of_the_written_dataset_are_of_its_values(tmp_path):
    record(tmp_path / "run_0", run(10))
    write_lerobot(find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS)
    stats = json.loads((tmp_path / "set/meta/stats.json").read_text())
    assert stats["observation.state"]["max"] == [9, 90, 0] and np.allclose(stats["action"]["mean"], 4.5)
