"""Messages of a fast topic, taken many at a time. Real DDS in one process."""

import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int32

from hwm_ros.polled_subscription import PolledSubscription
from hwm_ros.qos import RELIABLE, incompatible_publisher

pytestmark = pytest.mark.ros


def received(node, values):
    """A subscription to which these values were sent, and what its callback got."""
    got = []
    subscription = PolledSubscription(node, Int32, "fast", lambda message, _: got.append(message.data), RELIABLE)
    publisher = node.create_publisher(Int32, "fast", RELIABLE)
    deadline = time.monotonic() + 10
    while not subscription.subscription.get_publisher_count() and time.monotonic() < deadline:
        time.sleep(0.01)
    for value in values:
        publisher.publish(Int32(data=value))
    return subscription, got


def test_messages_wait_for_take_and_neither_they_nor_their_events_wake_the_executor(node):
    subscription, got = received(node, range(5))
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    executor.spin_once(timeout_sec=0.0)
    start = time.monotonic()
    executor.spin_once(timeout_sec=0.5)
    assert got == [] and time.monotonic() - start > 0.4
    subscription.take(10)
    assert got == [0, 1, 2, 3, 4]


def test_one_call_takes_the_oldest_messages_and_leaves_the_rest(node):
    subscription, got = received(node, range(5))
    time.sleep(0.2)
    subscription.take(2)
    assert got == [0, 1]
    subscription.take(9)
    assert got == [0, 1, 2, 3, 4]


def test_a_publisher_that_cannot_reach_a_reliable_subscription_is_found_with_the_fix(node):
    subscription, _ = received(node, ())
    assert incompatible_publisher(node, subscription.subscription) == ""
    node.create_publisher(Int32, "fast", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    deadline, text = time.monotonic() + 10, ""
    while not text and time.monotonic() < deadline:
        text = incompatible_publisher(node, subscription.subscription)
    assert "qos_overrides./fast.subscription.reliability" in text
