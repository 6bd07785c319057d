"""A bag played to the node over DDS gives the same context and predictions as the bag read by `hwm replay`."""

import numpy as np
import pytest
import torch
from untrained import JOINTS, save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ContextStatus, ErrorCode
from hwm_ros.srv import PredictRollout
from rclpy.duration import Duration
from ros_harness import DEADLINE_S, Peer, process
from ros_robot import ALL_ARRIVE, some_candidates
from rosgraph_msgs.msg import Clock

from hwm_core.data.rosbag2.reader import bag_connections, serialized_messages
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel
from hwm_ros import convert
from hwm_ros.play import message_class

pytestmark = pytest.mark.ros

START_NS, FRAMES, PAST = 1_000_000_000_000, 45, 9
LOST = (14, 15, 27)  # images that the camera has lost
IMAGES = "/head_camera/image_raw"


@pytest.fixture
def bag(tmp_path):
    """A camera of 30 Hz with jitter and lost images, and joint states at 83 Hz until after the last image."""
    random = np.random.default_rng(0)
    images = {
        START_NS + round(number * 1e9 / 30 + random.uniform(-4e6, 4e6)): random.integers(0, 256, (32, 32, 3), np.uint8)
        for number in range(FRAMES)
        if number not in LOST
    }
    states = {
        START_NS - 100_000_000 + 12_000_000 * number: np.sin(0.05 * number + np.arange(3)) for number in range(145)
    }
    with BagWriter(tmp_path / "bag") as writer:
        for stamp_ns in sorted([*images, *states]):
            if stamp_ns in images:
                writer.write_image(IMAGES, stamp_ns, images[stamp_ns])
            else:
                writer.write_joints("/joint_states", stamp_ns, JOINTS, tuple(states[stamp_ns]))
    return tmp_path / "bag"


def play(peer, bag):
    """Publish the bag as `hwm play --clock` does; a next image waits for the status of the one before."""
    publishers = {"/clock": peer.node.create_publisher(Clock, "/clock", 10)}
    for one in bag_connections(bag):
        publishers[one.topic] = peer.node.create_publisher(message_class(one.message_type), one.topic, 50)
    statuses = peer.received["/world_model/context_status"]
    peer.until(lambda: all(p.get_subscription_count() for p in publishers.values()) and statuses, "the node")
    images = 0
    for message in serialized_messages(bag):
        publishers["/clock"].publish(Clock(clock=convert.time_of(message.received_ns)))
        publishers[message.topic].publish(message.data)
        if message.topic == IMAGES:
            images += 1
            peer.until(lambda count=images: statuses[-1].images_received == count, "the status of an image")
    assert publishers["/joint_states"].wait_for_all_acked(Duration(seconds=DEADLINE_S))
    peer.spin(0.5)  # until the node has read the last ones


def test_the_node_has_the_context_stamps_and_predictions_of_a_replay_of_the_same_bag(bag, tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint", kind="states")
    peer = Peer()
    peer.subscribe(ContextStatus, "/world_model/context_status", 200)
    settings = {"checkpoint": checkpoint, "dtype": "float32", "use_sim_time": True, **ALL_ARRIVE}
    try:
        with process("world_model", tmp_path / "log.txt", **settings):
            play(peer, bag)
            status = peer.newest("/world_model/context_status")
            assert (status.images_dropped, status.joint_messages_dropped, status.flushes_gap) == (0, 0, 0), status
            candidates = some_candidates(count=3)
            answer = peer.call(
                PredictRollout, "/world_model/predict_rollout", PredictRollout.Request(candidates=candidates)
            )
            assert answer.error_code == ErrorCode.NONE, answer.error_msg
    finally:
        peer.close()
    statuses = peer.received["/world_model/context_status"]
    live_ns = list(dict.fromkeys(convert.stamp_ns(s.header.stamp) for s in statuses if s.frames_held))

    model = WorldModel.load(checkpoint, device=torch.device("cpu"), dtype="float32")
    episode, _ = BagRecording(bag, Topics()).read(model.preprocessing, model.manifest.names)
    assert live_ns == list(dict.fromkeys(episode.stamps_ns.tolist()))
    past = model.observe(episode.frames[-PAST:], episode.states[-PAST:])
    rollout = model.rollout(past, convert.read_candidates(candidates), sampling=Sampling(), seed=0)
    replayed = model.frames(past, rollout)[:, :24]
    frames = answer.frames
    live = np.frombuffer(frames.data, np.uint8).reshape(3, 24, frames.height, frames.width, 3)
    np.testing.assert_array_equal(live, replayed)
    assert len(np.unique(live.reshape(3, -1), axis=0)) == 3, "the candidates differ"
