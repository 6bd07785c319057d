"""Input topics of the world_model node and their faults, each in status, diagnostics and log. Real DDS."""

import re
from array import array

import numpy as np
import pytest
import rclpy
from untrained import JOINTS, save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from builtin_interfaces.msg import Time
from hwm_ros.msg import ErrorCode, Surprise
from hwm_ros.srv import ResetContext
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_robot import FRAME_NS, camera_image, robot_of
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import Empty, Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hwm_core.data.recording.image_message import encode_image
from hwm_ros import convert

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    """A robot with an active node; the model's actions are commands."""
    folder = tmp_path_factory.mktemp("node")
    with robot_of(folder, save_untrained(folder / "checkpoint")) as peer:
        yield peer


@pytest.fixture
def ready(robot):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    robot.fill()
    return robot


def reported(robot, words, level=b"\x02"):
    """Wait until the diagnostics and the log report a fault; return its status."""
    report = robot.newest(
        "/diagnostics", lambda m: any(words in value.value for value in m.status[0].values if "finding" in value.key)
    )
    assert report.status[0].level >= level
    robot.until(lambda: words in robot.log.read_text(), "the log")
    return report.status[0]


def silent_s(text):
    return max(map(float, re.findall(r"they stopped for (\S+) s", text)), default=0.0)


def times_in_log(robot, words):
    return sum(words in line for line in robot.log.read_text().splitlines())


def test_a_dead_camera_is_reported_and_logged_once_until_it_is_back(ready):
    before = times_in_log(ready, "Images: they stopped")
    start = len(ready.received["/world_model/context_status"])
    status = ready.newest(
        "/world_model/context_status", lambda s: "Images: they stopped" in s.error_msg and s.images_received >= 9
    )
    assert (status.ready, status.error_code) == (False, ErrorCode.NO_CONTEXT)
    assert len(ready.received["/world_model/context_status"]) > start
    reported(ready, "Images: they stopped")
    ready.newest("/diagnostics", lambda m: silent_s(m.status[0].message) >= 4.0)
    assert times_in_log(ready, "Images: they stopped") == before + 1
    ready.tick()
    assert ready.fill().ready


def test_a_camera_whose_every_image_is_rejected_has_the_reason_and_the_count(ready):
    ready.until(lambda: rejected(ready).error_code == ErrorCode.BAD_IMAGE, "the fault")
    status = rejected(ready)
    assert "Images: the newest" in status.error_msg and "32FC3" in status.error_msg
    assert "32FC3" in status.last_rejection and status.last_rejection_count >= 3 and not status.ready
    reported(ready, "32FC3")
    assert ready.fill().last_rejection_count == 0


def rejected(robot):
    return robot.tick(camera_image(robot.stamp_ns, encoding="32FC3"))


def test_joint_states_that_are_all_nan_have_the_reason_and_the_count(ready):
    ready.until(lambda: ready.tick(position=np.nan).error_code == ErrorCode.BAD_ACTIONS, "the fault")
    status = ready.tick(position=np.nan)
    assert "Joint states: the newest" in status.error_msg and "NaN or infinity for neck_yaw" in status.last_rejection
    assert status.last_rejection_count >= 3 and not status.ready
    reported(ready, "NaN or infinity for neck_yaw")
    assert ready.fill().ready


def test_a_stamp_later_than_a_status_can_hold_is_rejected(ready):
    head = Header(stamp=Time(sec=2**31 - 1, nanosec=2**32 - 1))
    status = ready.tick(camera_image(ready.stamp_ns, header=head))
    assert "Image stamp" in status.last_rejection
    assert ready.fill().last_rejection_count == 0


def test_stamps_of_another_day_are_reported_and_used(ready):
    status = reported(ready, "behind the node's clock. Synchronise", level=b"\x01")
    assert "years" in str(status.values)


def test_compressed_images_are_used_where_no_raw_ones_are_published(ready):
    """With the default `image_transport: auto`."""
    jpeg = ready.node.create_publisher(CompressedImage, "/head_camera/image_raw/compressed", 10)
    ready.until(jpeg.get_subscription_count, "the node's subscription to the other transport")  # raw is silent
    ready.newest("/diagnostics", lambda m: "Images: they stopped" in m.status[0].message)
    pixels = np.full((32, 32, 3), 90, np.uint8)
    before = ready.received["/world_model/context_status"][-1].images_used

    def publish():
        data = array("B", encode_image(pixels, "jpeg"))
        head = convert.header(ready.stamp_ns, "camera")
        ready.stamp_ns += FRAME_NS
        jpeg.publish(CompressedImage(header=head, format="rgb8; jpeg compressed bgr8", data=data))
        return ready.received["/world_model/context_status"][-1].images_used >= before + 5

    ready.until(publish, "compressed images in the context")
    ready.until(lambda: publish() and not ready.image.get_subscription_count(), "the end of the raw subscription")
    ready.node.destroy_publisher(jpeg)
    ready.until(ready.image.get_subscription_count, "the raw subscription")
    ready.fill()


def test_a_cut_empties_the_context(ready):
    cut = ready.node.create_publisher(Empty, "/recording/cut", 10)
    ready.until(cut.get_subscription_count, "the node's subscription")
    cut.publish(Empty())
    ready.newest("/world_model/context_status", lambda s: s.flushes_cut == 1 and s.frames_held == 0)
    assert ready.fill().ready
    ready.node.destroy_publisher(cut)


def test_a_trajectory_commands_the_joints_of_a_context(robot):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    publisher = robot.node.create_publisher(JointTrajectory, "/joint_trajectory", 10)
    robot.until(publisher.get_subscription_count, "the node's subscription")
    points = [JointTrajectoryPoint(positions=[0.1, 0.2, 0.3]), JointTrajectoryPoint(positions=[0.5, 0.2, 0.3])]
    points[1].time_from_start.sec = 1
    head = convert.header(robot.stamp_ns - FRAME_NS)
    publisher.publish(JointTrajectory(header=head, joint_names=list(JOINTS), points=points))
    robot.until(lambda: robot.tick(commands=False).ready, "a context from the trajectory alone")
    robot.node.destroy_publisher(publisher)


def test_every_latent_is_compared_with_its_prediction_while_somebody_subscribes(ready):
    ready.subscribe(Surprise, "/world_model/surprise")
    ready.until(lambda: ready.tick() and ready.received["/world_model/surprise"], "a comparison")
    found = ready.received["/world_model/surprise"][-1]
    elapsed_ns = convert.stamp_ns(found.header.stamp) - convert.stamp_ns(found.predicted_from)
    assert elapsed_ns == pytest.approx(8 * FRAME_NS, abs=100)
    assert found.error > 0 and (found.expected_error, found.ratio, found.exceeded) == (0, 0, False)


def test_a_second_publisher_of_joint_states_is_reported_with_its_node(ready):
    other = rclpy.create_node("impostor", context=ready.context)
    publisher = other.create_publisher(JointState, "/joint_states", 10)
    ready.until(publisher.get_subscription_count, "the node's subscription")

    def both():
        publisher.publish(convert.joint_message(JOINTS, np.ones(3), convert.header(ready.stamp_ns)))
        ready.tick()
        return "several publishers send neck_yaw" in ready.log.read_text()

    ready.until(both, "the fault")
    assert "/impostor" in ready.log.read_text()
    assert ready.tick().ready
    other.destroy_node()


def test_another_type_on_the_topic_and_a_node_of_the_same_name_are_reported_with_the_fix(robot):
    context = rclpy.Context()  # within one, the middleware rejects the wrong type
    rclpy.init(context=context)
    twin = rclpy.create_node("world_model", context=context)
    kinds = {
        "/joint_states": "sensor_msgs/msg/JointState",
        "/joint_trajectory": "trajectory_msgs/msg/JointTrajectory",
        "/recording/cut": "std_msgs/msg/Empty",
        "/world_model/candidates": "hwm_ros/msg/ActionCandidates",
    }
    wrong = [twin.create_publisher(CompressedImage, topic, 10) for topic in kinds]
    types = [f"{topic}: expected messages of type {kind}" for topic, kind in kinds.items()]
    for words in ("2 nodes are named /world_model", *types):
        reported(robot, words)
        assert times_in_log(robot, words) == 1
    for publisher in wrong:
        twin.destroy_publisher(publisher)
    twin.destroy_node()
    rclpy.try_shutdown(context=context)


def test_joint_states_with_incompatible_qos_are_reported_with_the_fix(robot):
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = robot.node.create_publisher(JointState, "/joint_states", best_effort)
    reported(robot, "qos_overrides./joint_states.subscription.reliability")
    robot.node.destroy_publisher(publisher)


def test_simulated_time_without_a_clock_is_reported_with_what_to_start(ready):
    for sim_time, words in ((True, "no time has come on /clock"), (False, "")):
        value = Parameter("use_sim_time", value=sim_time).to_parameter_msg()
        done = ready.call(SetParameters, "/world_model/set_parameters", SetParameters.Request(parameters=[value]))
        assert done.results[0].successful, done.results[0].reason
        if words:
            assert "ros2 bag play --clock" in str(reported(ready, words, level=b"\x01"))
