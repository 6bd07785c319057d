"""`hwm play` publishes a recording over DDS: in order, at its rate, with the recorded time, paused and looped."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
import os
import subprocess
import sys
import time
from contextlib import contextmanager

from ros_harness import DEADLINE_S, Peer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger

from hwm_core.data.rosbag2.writer import BagWriter
from hwm_ros.play import Playhead

pytestmark = pytest.mark.ros

START_NS, PERIOD_NS, FRAMES = 1_000_000_000_000, 33_333_333, 30


@pytest.fixture
def bag(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for number in range(FRAMES):
            stamp = START_NS + number * PERIOD_NS
            writer.write_image("/camera", stamp, np.full((4, 6, 3), number, np.uint8))
            writer.write_joints("/joint_states", stamp, ("a", "b"), (number, -number))
    return tmp_path / "bag"


@pytest.fixture
def peer():
    it = Peer()
    yield it
    it.close()


@contextmanager
def playing(bag, *options: str):
    """`hwm play` in a process of its own, stopped by SIGINT where it still runs."""
    command = [sys.executable, "-m", "training.main", "play", str(bag), *options]
    running = subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield running
        if running.poll() is None:
            running.send_signal(2)
        assert running.wait(DEADLINE_S) == 0, running.stdout.read()
    finally:
        running.kill()


def test_paused_at_first_then_every_message_is_published_in_order_with_the_recorded_clock(peer, bag):
    peer.subscribe(Image, "/camera")
    peer.subscribe(JointState, "/joint_states")
    peer.subscribe(Clock, "/clock", 200)
    with playing(bag, "--start-paused", "--clock", "100", "--rate", "2", "--wait", str(DEADLINE_S)) as running:
        assert peer.call(Trigger, "/bag_player/resume", Trigger.Request()).success
        began = time.monotonic()
        peer.until(lambda: len(peer.received["/camera"]) == FRAMES, "all images")
        took_s = time.monotonic() - began
        peer.until(lambda: running.poll() is not None, "the end of the recording")
    assert [message.data[0] for message in peer.received["/camera"]] == list(range(FRAMES))
    assert [list(message.position) for message in peer.received["/joint_states"]] == [[n, -n] for n in range(FRAMES)]
    assert took_s > 0.9 * (FRAMES - 1) * PERIOD_NS / 1e9 / 2, "not faster than twice the recorded rate"
    clock = [message.clock.sec * 10**9 + message.clock.nanosec for message in peer.received["/clock"]]
    assert clock == sorted(clock) and clock[0] >= START_NS - 10**9 and clock[-1] > START_NS


def test_a_loop_begins_again_and_chosen_topics_alone_are_published(peer, bag):
    peer.subscribe(Image, "/camera")
    peer.subscribe(JointState, "/joint_states")
    with playing(bag, "--loop", "--rate", "20", "--topics", "/joint_states"):
        peer.until(lambda: len(peer.received["/joint_states"]) > 2 * FRAMES, "a second loop")
    assert not peer.received["/camera"]


def test_without_a_subscription_a_recording_is_played_after_the_wait(bag):
    with playing(bag, "--rate", "20", "--wait", "0.1") as running:
        assert running.wait(DEADLINE_S) == 0
        assert f"{2 * FRAMES} messages published" in running.stdout.read()


def test_a_bag_that_is_not_there_is_rejected_with_its_path(tmp_path):
    command = [sys.executable, "-m", "training.main", "play", str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"Bag {tmp_path / 'nothing'}" in done.stderr


def test_a_playhead_stands_still_while_paused_and_runs_at_its_rate():
    now = [10.0]
    playhead = Playhead(2.0, lambda: now[0])
    now[0] += 3
    assert playhead.played_s == 6
    playhead.pause()
    now[0] += 100
    assert playhead.played_s == 6
    playhead.resume()
    now[0] += 1
    assert playhead.played_s == 8
    playhead.restart()
    assert playhead.played_s == 0
