"""Bags of the simulated humanoid hold what a robot records, and are written atomically."""

import subprocess
import sys
import time

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.errors import BadConfig
from hwm_core.sim import recorder
from hwm_core.sim.description import CAMERA_FRAME, START_NS, joints
from hwm_core.sim.recorder import record_episode, simulate_episode
from training.record_sim import RecordingSettings, record

PREPROCESSING = Preprocessing(source_aspect=1.0, height=16, width=16)


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_a_bag_read_back_equals_the_episode_in_memory_bit_for_bit(tmp_path, image_format):
    record_episode(tmp_path / "bag", seed=3, seconds=1.0, camera_size=32, image_format=image_format)
    read, report = BagRecording(tmp_path / "bag", Topics()).read(PREPROCESSING)
    simulated = simulate_episode(3, seconds=1.0, camera_size=32).to_episode(PREPROCESSING)
    assert (report.bad, report.late, report.unaligned_frames) == (0, 0, 0) and read.names == simulated.names
    for field in ("frames", "stamps_ns", "segments", "states", "commands"):
        np.testing.assert_array_equal(getattr(read, field), getattr(simulated, field), err_msg=field)


def test_a_bag_holds_the_messages_of_a_robots_drivers(tmp_path):
    record_episode(tmp_path / "bag", seed=0, seconds=0.5, camera_size=32)
    types, messages = message_types(), {}
    with Reader(tmp_path / "bag") as reader:
        for connection, received_ns, data in reader.messages():
            message = types.deserialize_cdr(data, connection.msgtype)
            stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
            assert stamp_ns == received_ns > 0
            messages.setdefault(connection.topic, []).append((stamp_ns, message))
    images, states, commands = (
        messages[topic] for topic in ("/head_camera/image_raw/compressed", "/joint_states", "/joint_commands")
    )
    # 15 frames; 4 joint states for each of 14 intervals and the first; the start posture is commanded before frame 0.
    assert (len(images), len(states), len(commands)) == (15, 57, 16)
    assert images[0][0] == START_NS and images[0][1].header.frame_id == CAMERA_FRAME
    assert [stamp for stamp, _ in commands[1:]] == [stamp for stamp, _ in images]
    assert all(tuple(message.name) == joints().names for _, message in states + commands)
    assert all(len(message.position) == len(message.velocity) == 16 for _, message in states)


def test_a_failed_recording_leaves_no_files(tmp_path, monkeypatch):
    def broken(*_):
        yield from ()
        raise RuntimeError("power failure")

    monkeypatch.setattr(recorder, "play", broken)
    with pytest.raises(RuntimeError, match="power failure"):
        record_episode(tmp_path / "bag", seed=0, seconds=1.0, camera_size=16)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_recording_leaves_no_bag(tmp_path):
    code = f"from hwm_core.sim.recorder import *; record_episode({str(tmp_path / 'bag')!r}, seed=0, seconds=1000)"
    process = subprocess.Popen([sys.executable, "-c", code])
    while not list(tmp_path.rglob("*.mcap")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (tmp_path / "bag").exists()


def test_recording_again_adds_only_missing_episodes_and_splits_by_seed(tmp_path):
    short = RecordingSettings(seconds=0.1, camera_size=16)
    record(tmp_path, {"train": 1, "val": 1}, short, processes=1)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mcap")}
    record(tmp_path, {"train": 2, "val": 1}, short, processes=1)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/sim_*"))
    assert names == ["train/sim_0000000", "train/sim_0000001", "val/sim_1000000"]
    assert all(path.stat().st_mtime_ns == before for path, before in first.items())


def test_the_robot_description_is_written_beside_the_recordings(tmp_path):
    record(tmp_path, {"train": 0, "val": 0}, RecordingSettings(), processes=1)
    robot = Robot.read(tmp_path / "robot.yaml")
    assert robot.name == "hwm_sim_humanoid" and len(robot.joints) == 16
    # The values of humanoid.xml.
    assert robot.joints["left_elbow_pitch"] == Joint(unit="rad", limits=(0, 2.4))
    assert robot.joints["right_gripper"] == Joint(unit="m", limits=(0, 0.045))


def test_a_folder_with_recordings_of_other_settings_is_rejected(tmp_path):
    record(tmp_path, {"train": 0, "val": 0}, RecordingSettings(seconds=1.0), processes=1)
    with pytest.raises(BadConfig, match="Record into another folder"):
        record(tmp_path, {"train": 0, "val": 0}, RecordingSettings(seconds=2.0), processes=1)
