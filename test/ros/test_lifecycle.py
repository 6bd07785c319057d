"""Lifecycle states of the world_model node, and compressed images without stamps: real DDS, untrained weights."""

import numpy as np
import pytest
from untrained import JOINTS, save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from array import array

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hwm_ros.msg import ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import GetModelInfo, ScoreActions
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from ros_harness import Peer, process
from sensor_msgs.msg import CompressedImage, JointState

from hwm_core.data.recording.image_message import encode_image
from hwm_ros import convert

pytestmark = pytest.mark.ros

CANDIDATES = convert.candidates_message(np.zeros((2, 24, 3), np.float32), JOINTS, convert.header(0))


@pytest.fixture
def peer():
    it = Peer()
    it.subscribe(DiagnosticArray, "/diagnostics")
    it.subscribe(ContextStatus, "/world_model/context_status")
    yield it
    it.close()


def change(peer, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return peer.call(ChangeState, "/world_model/change_state", request).success


def state(peer):
    return peer.call(GetState, "/world_model/get_state", GetState.Request()).current_state.id


def score(peer):
    return peer.call(ScoreActions, "/world_model/score_actions", ScoreActions.Request(candidates=CANDIDATES)).scores


def test_without_autostart_a_lifecycle_manager_controls_the_node(peer, tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint")
    with process("world_model", tmp_path / "log.txt", checkpoint=checkpoint, autostart=False):
        assert state(peer) == State.PRIMARY_STATE_UNCONFIGURED
        info = peer.call(GetModelInfo, "/world_model/get_model_info", GetModelInfo.Request())
        assert info.error_code == ErrorCode.NOT_ACTIVE
        assert change(peer, Transition.TRANSITION_CONFIGURE)
        info = peer.call(GetModelInfo, "/world_model/get_model_info", GetModelInfo.Request())
        assert (info.error_code, info.info.name) == (ErrorCode.NONE, "untrained")
        assert score(peer).error_code == ErrorCode.NOT_ACTIVE
        for _ in range(2):  # deactivation keeps the weights, so the node can be activated again
            assert change(peer, Transition.TRANSITION_ACTIVATE)
            assert score(peer).error_code == ErrorCode.NO_CONTEXT
            assert not change(peer, Transition.TRANSITION_ACTIVATE) and not change(peer, 200), "it is active already"
            assert change(peer, Transition.TRANSITION_DEACTIVATE)
            assert score(peer).error_code == ErrorCode.NOT_ACTIVE
        assert change(peer, Transition.TRANSITION_CLEANUP)
        assert state(peer) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_truncated_checkpoint_leaves_the_node_unconfigured_with_the_reason_in_the_diagnostics(peer, tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint")
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with process("world_model", tmp_path / "log.txt", checkpoint=checkpoint):
        report = peer.newest("/diagnostics", lambda m: m.status[0].level == DiagnosticStatus.ERROR).status[0]
        assert "model.safetensors" in report.message
        assert state(peer) == State.PRIMARY_STATE_UNCONFIGURED
        assert score(peer).error_code == ErrorCode.NOT_ACTIVE
        save_untrained(checkpoint)
        assert change(peer, Transition.TRANSITION_CONFIGURE)


def test_a_model_of_states_accepts_compressed_images_without_stamps(peer, tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint", kind="states")
    camera = peer.node.create_publisher(CompressedImage, "/head_camera/image_raw/compressed", 10)
    joints = peer.node.create_publisher(JointState, "/joint_states", 50)
    options = {"image_transport": "compressed", "zero_stamps": "receive_time"}
    image = CompressedImage(format="jpeg", data=array("B", encode_image(np.zeros((32, 32, 3), np.uint8), "jpeg")))
    with process("world_model", tmp_path / "log.txt", checkpoint=checkpoint, **options):
        peer.until(lambda: camera.get_subscription_count() and joints.get_subscription_count(), "the node")
        info = peer.call(GetModelInfo, "/world_model/get_model_info", GetModelInfo.Request()).info
        assert info.action_kind == ModelInfo.STATES

        def fill() -> bool:
            joints.publish(convert.joint_message(JOINTS, np.zeros(3), convert.header(0)))
            camera.publish(image)
            return any(m.ready for m in peer.received["/world_model/context_status"])

        peer.until(fill, "a full context")


def test_without_images_the_log_lists_the_topic_of_the_other_transport_that_has_a_publisher(peer, tmp_path):
    checkpoint, log = save_untrained(tmp_path / "checkpoint"), tmp_path / "log.txt"
    peer.node.create_publisher(CompressedImage, "/head_camera/image_raw/compressed", 10)
    fix = "but /head_camera/image_raw/compressed is there. Start the node with image_transport:=compressed or auto."
    with process("world_model", log, checkpoint=checkpoint, image_transport="raw"):
        peer.until(lambda: fix in log.read_text(), "the warning")
