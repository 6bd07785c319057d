"""Clocks and offsets of the topics of a bag, commands as trajectories, and compressed files alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from command import hwm
from recordings import NAMES, PERIOD, PREPROCESSING, START, TOPICS, grey_image, record, recording_at, run

from hwm_core.data.discover import find_recordings
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.stamps import ChannelStamps, Stamps
from hwm_core.data.rosbag2.writer import BagWriter


@pytest.mark.parametrize("frames", [2, -1])
def test_an_offset_of_one_topic_moves_only_its_values(tmp_path, frames):
    bag = record(tmp_path / "run_1", run(20))
    plain, _ = BagRecording(bag, TOPICS).read(PREPROCESSING)
    offset = frames * PERIOD / 1e9
    moved, _ = BagRecording(bag, TOPICS, Stamps(states=ChannelStamps(offset_s=offset))).read(PREPROCESSING)
    grey = moved.frames[:, 0, 0, 0].astype(float)
    assert np.allclose(moved.states[:, 0], grey - frames, atol=1e-3)
    assert np.allclose(plain.states[:, 0], plain.frames[:, 0, 0, 0])
    assert np.array_equal(moved.commands[:, 0], grey - 1)
    assert hwm("verify", bag, "--joint-offset", offset) == hwm("verify", bag) == 0


def test_one_topic_may_have_the_times_of_the_recorder(tmp_path):
    with BagWriter(tmp_path / "run_1") as bag:
        for t in range(20):
            at = START + t * PERIOD
            bag.write_image(TOPICS.image, 1 + t * PERIOD, grey_image(t), received_ns=at + 3 * PERIOD)
            bag.write_joints(TOPICS.joint_states, at, NAMES, [t] * 3)
    assert hwm("inspect", tmp_path / "run_1") == 1  # the camera's clock starts at 0
    late = Stamps(images=ChannelStamps(source="receive", offset_s=-3 * PERIOD / 1e9))
    episode, _ = BagRecording(tmp_path / "run_1", TOPICS, late).read(PREPROCESSING)
    assert np.allclose(episode.states[:, 0], episode.frames[:, 0, 0, 0], atol=1e-3)
    words = ("--image-stamps", "receive", "--image-offset", -3 * PERIOD / 1e9)
    assert hwm("inspect", tmp_path / "run_1", *words) == 0


def test_the_next_command_repeats_the_chosen_times(tmp_path, capsys):
    bag = record(tmp_path / "run_1", run(40))
    hwm("verify", bag, "--image-offset", -0.001)
    assert capsys.readouterr().out.splitlines()[-1].endswith("run_1 --image-offset -0.001")


def trajectory(bag: BagWriter, stamp_ns: int, points: list[tuple[float, list[float]]]) -> object:
    types = bag.types.types
    time = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    none = np.empty(0)
    made = [
        types["trajectory_msgs/msg/JointTrajectoryPoint"](
            positions=np.array(positions, np.float64),
            velocities=none,
            accelerations=none,
            effort=none,
            time_from_start=types["builtin_interfaces/msg/Duration"](
                sec=int(seconds), nanosec=round(1e9 * (seconds % 1))
            ),
        )
        for seconds, positions in points
    ]
    header = types["std_msgs/msg/Header"](stamp=time, frame_id="")
    return types["trajectory_msgs/msg/JointTrajectory"](header=header, joint_names=list(NAMES), points=made)


@pytest.mark.parametrize("stamped", [True, False])
def test_a_trajectory_commands_its_interpolated_positions_until_the_next_one(tmp_path, stamped):
    """The first leads from 0 to 40 in 40 frames; at frame 20 another one holds 5."""
    with BagWriter(tmp_path / "run_1") as bag:
        for t in range(40):
            at = START + t * PERIOD
            if t in (0, 20):
                end = 40 * PERIOD / 1e9
                points = [(0.0, [0.0] * 3), (end, [40.0] * 3)] if t == 0 else [(0.0, [5.0] * 3), (1.0, [5.0] * 3)]
                bag.write(TOPICS.commands, trajectory(bag, at if stamped else 0, points), at)
            bag.write_image(TOPICS.image, at, grey_image(t))
            bag.write_joints(TOPICS.joint_states, at, NAMES, [t] * 3)
    episode, report = recording_at(tmp_path / "run_1").read(PREPROCESSING)
    grey = episode.frames[:, 0, 0, 0].astype(float)
    # A command is sampled every 10 ms, so it is at most 0.3 frames old at the frame after it.
    assert report.bad == 0 and np.abs(episode.commands[:, 0] - np.where(grey > 20, 5, grey)).max() < 0.35


def test_a_malformed_trajectory_is_left_out_and_counted(tmp_path):
    with BagWriter(tmp_path / "run_1") as bag:
        for t in range(20):
            at = START + t * PERIOD
            bad = t in (3, 4)
            bag.write(TOPICS.commands, trajectory(bag, at, [(0.0, [t] * (2 if bad else 3))]), at)
            bag.write_image(TOPICS.image, at, grey_image(t))
            bag.write_joints(TOPICS.joint_states, at, NAMES, [t] * 3)
    episode, report = recording_at(tmp_path / "run_1").read(PREPROCESSING)
    assert report.bad == 2 and "Joint trajectory" in report.first_fault
    assert episode.commands[:6, 0].tolist() == [0, 1, 2, 2, 2, 5]


def test_a_compressed_mcap_file_alone_is_found_and_named_without_its_suffixes(tmp_path):
    plain = record(tmp_path / "bag", run(10)) / "bag.mcap"
    (tmp_path / "alone").mkdir()
    packed = tmp_path / "alone/run_7.mcap.zstd"
    with pyarrow.CompressedOutputStream(str(packed), "zstd") as out:
        out.write(plain.read_bytes())
    (recording,) = find_recordings(tmp_path / "alone", TOPICS)
    assert (recording.name, recording.number) == ("run_7", 7)
    episode, _ = recording.read(PREPROCESSING)
    expected, _ = replace(recording, path=plain).read(PREPROCESSING)
    assert np.array_equal(episode.frames, expected.frames) and np.array_equal(episode.states, expected.states)


def test_a_bag_is_never_its_own_target(tmp_path, monkeypatch, capsys):
    for number in (1, 2):
        record(tmp_path / f"run_{number}", run(5))
    monkeypatch.chdir(tmp_path)
    for source in (".", "run_1", "../" + tmp_path.name):
        assert hwm("convert", source, "--to", "rosbag2", "--out", ".") == 2
        assert "got the source itself. Choose another --out" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "run_1")
    assert BagRecording(Path("."), TOPICS).name == "run_1"


def test_an_offset_that_is_no_number_is_rejected(tmp_path, capsys):
    bag = record(tmp_path / "run_1", run(5))
    assert hwm("inspect", bag, "--image-offset", "nan") == 2
    assert "images.offset_s" in capsys.readouterr().err
